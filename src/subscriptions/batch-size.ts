/** How long a batch is to take at most: long transactions hold locks, and keep WAL and dead rows. */
const defaultTargetMs = 1_000

/**
 * Sizes batches by how long the ones before took: slow work comes in small batches, fast work in batches of the
 * largest size, which cost least.
 */
export class BatchSize {
  readonly #max: number
  readonly #targetMs: number
  #current: number

  constructor(max: number, targetMs = defaultTargetMs) {
    this.#max = max
    this.#targetMs = targetMs
    this.#current = max
  }

  /** From 1 to the largest size. */
  get current(): number {
    return this.#current
  }

  get isLargest(): boolean {
    return this.#current === this.#max
  }

  /** Notes how long a batch took. Too long: it shrinks to what fits at once. Less than half of that: it doubles. */
  took(count: number, ms: number): void {
    if (count === 0) return
    if (ms > this.#targetMs) {
      const fits = Math.floor((count * this.#targetMs) / ms)
      this.#current = Math.max(1, Math.min(fits, this.#current))
    } else if (ms <= this.#targetMs / 2) {
      this.#current = Math.min(2 * this.#current, this.#max)
    }
  }

  /** Notes that a batch failed: one is tried next. */
  failed(): void {
    this.#current = 1
  }
}
