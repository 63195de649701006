import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'

const needPostgres = ['**/*.pg.test.ts', '**/*.crash.test.ts']

/** Where the processes that tests start find what the ones before them have compiled. */
const compileCache = fileURLToPath(new URL('node_modules/.cache/tests', import.meta.url))

/**
 * The tests in `pg` share one PostgreSQL server, and each file has a database of its own on it.
 * The server is the one that `TIDEMARK_TEST_DATABASE_URL` names (a superuser's connection string;
 * the server is used as it is and never stopped, and every database that a run makes there begins
 * with a prefix of that run), else an embedded server of the major version that
 * `TIDEMARK_TEST_POSTGRES` chooses (`npm run test:matrix` runs through all of them), else a container
 * if a Docker engine answers, else an embedded server, which needs nothing but npm.
 *
 *     TIDEMARK_TEST_DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres npx vitest run
 *     npx vitest run --project unit
 */
export default defineConfig({
  test: {
    env: { NODE_COMPILE_CACHE: compileCache },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 30_000,
    teardownTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...needPostgres],
        },
      },
      {
        extends: true,
        test: {
          name: 'pg',
          include: needPostgres,
          globalSetup: ['test/support/global-setup.ts'],
          setupFiles: ['test/support/crash-timeouts.ts'],
        },
      },
    ],
  },
})
