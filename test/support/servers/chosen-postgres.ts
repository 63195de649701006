import { fileURLToPath } from 'node:url'
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../../src/testing/embedded-postgres.ts'
import {
  findPostgresBinaries,
  type PostgresBinaries,
} from '../../../src/testing/postgres-binaries.ts'

/** The major versions that tests run on, oldest first. */
export const supportedVersions = ['14', '15', '16', '17', '18'] as const

/** The one that the package itself installs; the others are installed by `npm run test:matrix`. */
export const installedVersion = '18'

const servers = fileURLToPath(new URL('../../matrix/servers', import.meta.url))

/**
 * Tells the major version that `TIDEMARK_TEST_POSTGRES` chooses, undefined when it chooses none.
 *
 * @throws Error when the tests do not run on that version.
 */
export function chosenVersion(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const version = environment.TIDEMARK_TEST_POSTGRES
  if (!version) return undefined
  if (!(supportedVersions as readonly string[]).includes(version)) {
    throw new Error(
      `TIDEMARK_TEST_POSTGRES is "${version}", not one of ${supportedVersions.join(', ')}`,
    )
  }
  return version
}

/**
 * Finds the server's programs of a major version.
 *
 * @param version Default: the chosen one, else the installed one.
 * @throws Error when that version is not installed; `npm run test:matrix` does it.
 */
export async function findBinariesOf(
  version = chosenVersion() ?? installedVersion,
): Promise<PostgresBinaries> {
  if (version === installedVersion) return findPostgresBinaries()
  return findPostgresBinaries(`postgres-${version}`, [servers]).catch((cause) => {
    throw new Error(
      `PostgreSQL ${version} is not installed for tests: npm install --prefix ${servers}`,
      { cause },
    )
  })
}

/** Starts an embedded server of the chosen version: for tests that need a server of their own. */
export async function startChosenPostgres(
  options: EmbeddedPostgresOptions = {},
): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ binaries: await findBinariesOf(), ...options })
}
