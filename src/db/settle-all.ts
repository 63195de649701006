import { sqlstate, sqlstateOf } from './sqlstate.ts'

/**
 * Waits until every promise has settled, then returns the values or throws the first error in the
 * order of the list; one that only says that the transaction has failed before, not if another says why. Unlike `Promise.all` it leaves none of them running: what is still under way on
 * a connection must not reach it after the transaction was rolled back and the connection returned.
 */
export async function settleAll<const T extends readonly unknown[]>(
  promises: T,
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  const results = await Promise.allSettled(promises)
  const failed = results.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
  const [first] = failed
  if (first !== undefined) throw (failed.find(saysWhy) ?? first).reason
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as {
    -readonly [I in keyof T]: Awaited<T[I]>
  }
}

/** Also of an error that has wrapped the server's. */
function saysWhy({ reason }: PromiseRejectedResult): boolean {
  const cause = reason instanceof Error && reason.cause !== undefined ? reason.cause : reason
  return sqlstateOf(cause) !== sqlstate.inFailedSqlTransaction
}
