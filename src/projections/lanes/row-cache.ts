import type { FoldRow } from './fold-table.ts'

/**
 * Rows by key, known to be in the table as they stand here; null for a row known to be absent. Holds
 * whatever a chunk needs; when the chunk is over, those go that came first. (Not those that were used
 * longest ago: a row that is still used comes back with the next read, and keeping the order of use cost
 * more than that.)
 */
export class RowCache {
  readonly #rows = new Map<string, FoldRow | null>()
  readonly #maxRows: number
  #holdsTable = false

  constructor(maxRows: number) {
    this.#maxRows = maxRows
  }

  /** Whether the row of a key is known, or known to be absent. */
  has(key: string): boolean {
    return this.#holdsTable || this.#rows.has(key)
  }

  get(key: string): FoldRow | null {
    return this.#rows.get(key) ?? null
  }

  set(key: string, row: FoldRow | null): void {
    this.#rows.set(key, row)
  }

  /** Whether nothing is known. */
  get isBlank(): boolean {
    return !this.#holdsTable && this.#rows.size === 0
  }

  /** Learns that the table has no rows but those that are written from here. */
  holdTable(): void {
    this.#holdsTable = true
  }

  /** Drops the rows that came first, down to the limit. */
  evict(): void {
    let surplus = this.#rows.size - this.#maxRows
    if (surplus <= 0) return
    this.#holdsTable = false
    for (const key of this.#rows.keys()) {
      if (surplus === 0) return
      this.#rows.delete(key)
      surplus -= 1
    }
  }

  clear(): void {
    this.#rows.clear()
    this.#holdsTable = false
  }
}
