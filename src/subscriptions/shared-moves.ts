import type pg from 'pg'
import type { LogNames } from '../db/log-names.ts'
import { transaction } from '../db/transaction.ts'
import { advanceCheckpoints, type CheckpointMove } from './checkpoint.ts'
import type { SubscriptionId } from './subscription-id.ts'

interface Waiting {
  readonly id: SubscriptionId
  readonly move: CheckpointMove
  readonly settle: PromiseWithResolvers<boolean>
}

/**
 * Moves the checkpoints of those subscriptions of one process that have nothing to apply, all that ask
 * at once in one statement. They need not be durable: who begins anew reads again that there is nothing.
 */
export class SharedMoves {
  readonly #pool: pg.Pool
  readonly #names: LogNames
  #waiting: Waiting[] = []
  #isMoving = false

  constructor(pool: pg.Pool, names: LogNames) {
    this.#pool = pool
    this.#names = names
  }

  /**
   * Moves a checkpoint by compare-and-set.
   *
   * @returns false when it was not where it is taken to be, or somebody has it locked: move it alone.
   */
  move(id: SubscriptionId, move: CheckpointMove): Promise<boolean> {
    const settle = Promise.withResolvers<boolean>()
    this.#waiting.push({ id, move, settle })
    if (!this.#isMoving) {
      this.#isMoving = true
      // All that were given the same run ask within the same turn of the event loop.
      setImmediate(() => void this.#moveAll())
    }
    return settle.promise
  }

  async #moveAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      await this.#moveBatch(batch)
    }
    this.#isMoving = false
  }

  async #moveBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const moved = await transaction(
        this.#pool,
        (client) => advanceCheckpoints(client, this.#names, batch),
        { durable: false },
      )
      for (const [i, { settle }] of batch.entries()) settle.resolve(moved.has(i))
    } catch {
      // Each for itself finds out what is wrong with it.
      for (const { settle } of batch) settle.resolve(false)
    }
  }
}
