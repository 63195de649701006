import { Waiters } from './waiters.ts'

/** How far the log is known to reach, and who waits for it to reach further. */
export class LogHead {
  #position = 0n
  readonly #waiters = new Waiters()

  get position(): bigint {
    return this.#position
  }

  /** Learns of a position. One that is not new changes nothing. */
  advance(position: bigint): void {
    if (position <= this.#position) return
    this.#position = position
    this.#waiters.wake()
  }

  /** Begins anew, when positions come from another server from now on. */
  forget(): void {
    this.#position = 0n
  }

  /** Waits until the log reaches beyond a position, or until aborted. */
  async beyond(position: bigint, signal: AbortSignal): Promise<void> {
    while (this.#position <= position && !signal.aborted) await this.#waiters.next(signal)
  }
}
