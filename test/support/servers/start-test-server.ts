import { chosenVersion } from './chosen-postgres.ts'
import { dockerAnswers, startDockerServer } from './docker-server.ts'
import { startEmbeddedServer } from './embedded-server.ts'
import type { TestServer } from './test-server.ts'
import { useServerAt } from './url-server.ts'

/**
 * Chooses the server of a test run: the one that `TIDEMARK_TEST_DATABASE_URL` names, else an
 * embedded one of the major version that `TIDEMARK_TEST_POSTGRES` chooses, else a container if a
 * Docker engine answers, else an embedded one, which needs nothing but npm.
 */
export async function startTestServer(
  environment: NodeJS.ProcessEnv = process.env,
): Promise<TestServer> {
  const url = environment.TIDEMARK_TEST_DATABASE_URL
  if (url) return useServerAt(url).catch(explainUrl)
  if (chosenVersion(environment) === undefined && (await dockerAnswers()))
    return startDockerServer()
  return startEmbeddedServer()
}

/** Without the URL itself, which can contain a password. */
function explainUrl(cause: unknown): never {
  throw new Error('the server that TIDEMARK_TEST_DATABASE_URL names does not let us in', { cause })
}
