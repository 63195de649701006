/** Who waits for something to happen. */
export class Waiters {
  readonly #waiting = new Set<() => void>()

  /** Waits until it has happened once more, or until aborted. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      signal.addEventListener('abort', done)
      if (signal.aborted) done()
    })
  }

  /** It has happened. */
  wake(): void {
    for (const done of [...this.#waiting]) done()
  }
}
