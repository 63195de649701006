import type { FoldRow } from './fold-table.ts'

/**
 * Rows by key, known to be in the table as they stand here; null for a row known to be absent.
 * Holds whatever a chunk needs; the oldest used go when the chunk is over.
 */
export class RowCache {
  readonly #rows = new Map<string, FoldRow | null>()
  readonly #maxRows: number

  constructor(maxRows: number) {
    this.#maxRows = maxRows
  }

  has(key: string): boolean {
    return this.#rows.has(key)
  }

  get(key: string): FoldRow | null | undefined {
    return this.#rows.get(key)
  }

  /** Sets a row and makes it the latest used. */
  set(key: string, row: FoldRow | null): void {
    this.#rows.delete(key)
    this.#rows.set(key, row)
  }

  /** Drops the rows that were used longest ago, down to the limit. */
  evict(): void {
    if (this.#rows.size <= this.#maxRows) return
    let surplus = this.#rows.size - this.#maxRows
    for (const key of this.#rows.keys()) {
      if (surplus === 0) return
      this.#rows.delete(key)
      surplus -= 1
    }
  }

  clear(): void {
    this.#rows.clear()
  }
}
