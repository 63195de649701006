/**
 * Lets the executions of one stream in this process take turns, in the order in which they came. Of
 * those that decide at once on one version only one could be appended; the others would have loaded
 * and decided for nothing. Writers in other processes are met by conflicts.
 */
export class StreamTurns {
  /** For each stream that is at work: settles when the last one in the row is done. */
  readonly #last = new Map<string, Promise<void>>()

  /**
   * Runs the work when all who came before for this stream are done.
   *
   * @param signal when it is aborted the work is run at once, and has to see that for itself.
   */
  async take<T>(
    streamId: string,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const before = this.#last.get(streamId) ?? Promise.resolve()
    const done = Promise.withResolvers<void>()
    const last = before.then(() => done.promise)
    this.#last.set(streamId, last)
    try {
      await orAborted(before, signal)
      return await work()
    } finally {
      done.resolve()
      void last.then(() => this.#forget(streamId, last))
    }
  }

  /** Streams at work. */
  get size(): number {
    return this.#last.size
  }

  #forget(streamId: string, last: Promise<void>): void {
    if (this.#last.get(streamId) === last) this.#last.delete(streamId)
  }
}

async function orAborted(turn: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return turn
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const wake = () => resolve()
  signal.addEventListener('abort', wake)
  void turn.then(wake)
  await promise
  signal.removeEventListener('abort', wake)
}
