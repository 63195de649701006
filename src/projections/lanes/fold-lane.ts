import type pg from 'pg'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { handlerFailed } from '../../subscriptions/handler-failed.ts'
import type { Chunk, Lane } from '../../subscriptions/lane.ts'
import type { SubscriptionId } from '../../subscriptions/subscription-id.ts'
import type { AnyFold } from '../projection.ts'
import type { FoldRow, FoldTable } from './fold-table.ts'
import { RowCache } from './row-cache.ts'

/** An event with the row that it concerns. */
interface Step {
  readonly event: SequencedEvent
  readonly key: FoldRow
  readonly keyText: string
}

/**
 * Events of a first chunk from which on it is worth a question whether the table is empty, as it is when
 * a rebuild begins: then rows that nobody has written need not be looked for.
 */
const manySteps = 100

/**
 * Runs one fold on the events of a chunk: at most one read and one write, whatever the number of
 * events. Rows stay cached between chunks; the cache is right because only who moves the checkpoint
 * writes the table, and it is dropped on any rollback.
 */
export class FoldLane implements Lane {
  readonly name: string
  readonly #fold: AnyFold
  readonly #table: FoldTable
  readonly #id: SubscriptionId
  readonly #cache: RowCache

  constructor(fold: AnyFold, table: FoldTable, id: SubscriptionId, maxCachedRows: number) {
    this.name = fold.table
    this.#fold = fold
    this.#table = table
    this.#id = id
    this.#cache = new RowCache(maxCachedRows)
  }

  keyOf(event: SequencedEvent): string | null {
    return this.#step(event)?.keyText ?? null
  }

  async apply(client: pg.ClientBase, { events }: Chunk): Promise<void> {
    const steps = this.#steps(events ?? [])
    if (steps.length === 0) return
    await this.#load(client, steps)
    const touched = new Map<string, FoldRow>()
    for (const step of steps) {
      touched.set(step.keyText, step.key)
      this.#cache.set(step.keyText, this.#reduce(step))
    }
    await this.#store(client, touched)
  }

  committed(): void {
    this.#cache.evict()
  }

  reset(): void {
    this.#cache.clear()
  }

  #steps(events: readonly SequencedEvent[]): Step[] {
    const steps: Step[] = []
    for (const event of events) {
      const step = this.#step(event)
      if (step !== null) steps.push(step)
    }
    return steps
  }

  #step(event: SequencedEvent): Step | null {
    if (!Object.hasOwn(this.#fold.on, event.type)) return null
    return this.#guard(event, () => {
      const key = this.#fold.key(event)
      return key === null ? null : { event, key, keyText: this.#table.keyOf(key) }
    })
  }

  async #load(client: pg.ClientBase, steps: readonly Step[]): Promise<void> {
    if (this.#cache.isBlank && steps.length >= manySteps && (await this.#table.isEmpty(client))) {
      this.#cache.holdTable()
    }
    const missing = new Map<string, FoldRow>()
    for (const { keyText, key } of steps) {
      if (!this.#cache.has(keyText)) missing.set(keyText, key)
    }
    if (missing.size === 0) return
    for (const keyText of missing.keys()) this.#cache.set(keyText, null)
    for (const row of await this.#table.select(client, [...missing.values()])) {
      this.#cache.set(this.#table.keyOf(row), row)
    }
  }

  #reduce({ event, key, keyText }: Step): FoldRow | null {
    return this.#guard(event, () => {
      const reducer = this.#fold.on[event.type]
      const values = reducer?.(this.#cache.get(keyText), event) ?? null
      return values === null ? null : this.#table.complete(key, values)
    })
  }

  async #store(client: pg.ClientBase, touched: ReadonlyMap<string, FoldRow>): Promise<void> {
    const rows: FoldRow[] = []
    const deleted: FoldRow[] = []
    for (const [keyText, key] of touched) {
      const row = this.#cache.get(keyText)
      if (row === null) deleted.push(key)
      else rows.push(row)
    }
    if (deleted.length > 0) await this.#table.delete(client, deleted)
    if (rows.length > 0) await this.#table.upsert(client, rows)
  }

  #guard<T>(event: SequencedEvent, body: () => T): T {
    try {
      return body()
    } catch (error) {
      throw handlerFailed(this.#id, event, error)
    }
  }
}
