import type pg from 'pg'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import type { Chunk, Lane } from '../lane.ts'
import { keyIn } from '../parking/parked-keys.ts'
import { type Partition, partitionOf } from './partition.ts'

/**
 * The part of a lane that sees to the keys of one partition: no other event concerns it. A lane that
 * leaves its events in the server has to keep to the partition by itself.
 */
export class PartitionLane implements Lane {
  readonly name: string
  readonly #lane: Lane
  readonly #partition: Partition

  constructor(lane: Lane, partition: Partition) {
    this.name = lane.name
    this.#lane = lane
    this.#partition = partition
  }

  keyOf(event: SequencedEvent): string | null {
    const key = keyIn(this.#lane, event)
    if (key === null) return null
    return partitionOf(key, this.#partition.count) === this.#partition.index ? key : null
  }

  async apply(client: pg.ClientBase, chunk: Chunk): Promise<void> {
    const events = chunk.events?.filter((event) => this.keyOf(event) !== null) ?? null
    if (events?.length === 0) return
    await this.#lane.apply(client, { ...chunk, events })
  }

  committed(): void {
    this.#lane.committed()
  }

  reset(): void {
    this.#lane.reset()
  }
}
