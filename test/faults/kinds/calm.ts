/**
 * Has writers end what they hold for seconds, and hold nothing for long: as somebody does who is about to
 * change what waits for all transactions that append.
 */
export class Calm {
  #asked = new AbortController()
  #count = 0

  /** Aborted while it is to be calm. */
  get signal(): AbortSignal {
    return this.#asked.signal
  }

  /** From now on, until the result is disposed of. */
  begin(): Disposable {
    this.#count += 1
    this.#asked.abort()
    return {
      [Symbol.dispose]: () => {
        this.#count -= 1
        if (this.#count === 0) this.#asked = new AbortController()
      },
    }
  }
}
