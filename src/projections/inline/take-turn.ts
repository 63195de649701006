/** For each connection that is at work: settles when the last one in the row is done. */
const last = new WeakMap<object, Promise<unknown>>()

/**
 * Lets calls that use one connection in several steps take turns, in the order in which they came: the steps
 * of two appends that are not awaited one after the other would mix.
 */
export function takeTurn<T>(connection: object, work: () => Promise<T>): Promise<T> {
  const before = last.get(connection) ?? Promise.resolve()
  const turn = before.then(work, work)
  last.set(connection, turn)
  return turn
}
