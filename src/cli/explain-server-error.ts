import { TidemarkError } from '../core/tidemark-error.ts'
import { connectionFailed } from '../db/connect.ts'
import { isConnectionLoss, sqlstate, sqlstateOf } from '../db/sqlstate.ts'

/**
 * Waits for work with a server, and names the errors of the server that are nobody's defect: a
 * connection that is lost half way, and a privilege that is missing.
 *
 * @throws CONNECTION_FAILED, PRIVILEGE_MISSING, and whatever else `work` throws as it is.
 */
export async function explainServerError<T>(
  connectionString: string,
  work: Promise<T>,
): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof TidemarkError) throw error
    if (isConnectionLoss(error)) throw connectionFailed(connectionString, error)
    if (sqlstateOf(error) === sqlstate.insufficientPrivilege) throw privilegeMissing(error as Error)
    throw error
  }
}

function privilegeMissing(cause: Error): TidemarkError {
  const operation = cause.message
  const remedy = 'connect as the owner of the log, or grant it to this user'
  return new TidemarkError('PRIVILEGE_MISSING', `${operation}: ${remedy}`, {
    details: { operation, remedy },
    cause,
  })
}
