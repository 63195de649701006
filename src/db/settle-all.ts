/**
 * Waits until every promise has settled, then returns the values or throws the first error in the
 * order of the list. Unlike `Promise.all` it leaves none of them running: what is still under way on
 * a connection must not reach it after the transaction was rolled back and the connection returned.
 */
export async function settleAll<const T extends readonly unknown[]>(
  promises: T,
): Promise<{ -readonly [I in keyof T]: Awaited<T[I]> }> {
  const results = await Promise.allSettled(promises)
  for (const result of results) {
    if (result.status === 'rejected') throw result.reason
  }
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as {
    -readonly [I in keyof T]: Awaited<T[I]>
  }
}
