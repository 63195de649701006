/** How far the log is known to reach, and who waits for it to reach further. */
export class LogHead {
  #position = 0n
  readonly #waiting = new Set<() => void>()

  get position(): bigint {
    return this.#position
  }

  /** Learns of a position. One that is not new changes nothing. */
  advance(position: bigint): void {
    if (position <= this.#position) return
    this.#position = position
    for (const wake of [...this.#waiting]) wake()
  }

  /** Waits until the log reaches beyond a position, or until aborted. */
  async beyond(position: bigint, signal: AbortSignal): Promise<void> {
    while (this.#position <= position && !signal.aborted) await this.#next(signal)
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#waiting.delete(done)
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      signal.addEventListener('abort', done)
    })
  }
}
