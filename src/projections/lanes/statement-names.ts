import { createHash } from 'node:crypto'

/** A connection keeps what it prepared until it ends: texts with inlined values must not pile up. */
const most = 100

/** Names statements by their text, so that each is planned once a connection. */
export class StatementNames {
  readonly #names = new Map<string, string>()

  /** Undefined for a text that comes after too many others. */
  of(text: string): string | undefined {
    const known = this.#names.get(text)
    if (known !== undefined || this.#names.size >= most) return known
    // A name has 63 bytes, and belongs to one text for as long as the connection lives.
    const name = `tidemark-${createHash('sha256').update(text).digest('hex').slice(0, 40)}`
    this.#names.set(text, name)
    return name
  }
}
