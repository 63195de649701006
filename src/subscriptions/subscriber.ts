import type { SequencedEvent } from '../core/recorded-event.ts'
import type { Lane } from './lane.ts'
import type { Partition } from './partitions/partition.ts'
import type { SubscriptionId } from './subscription-id.ts'

/**
 * What to do with an event that cannot be applied: stop in front of it, or park it with all later events
 * of its key and go on with the rest.
 */
export type OnError = 'stop' | 'park'

/** Events that a subscription parks at most, unless it says otherwise. */
export const defaultMaxParked = 1_000

/** What a subscription does with the events of a run. */
export interface Subscriber {
  readonly id: SubscriptionId
  /** The part of the keys that it sees to. Default: all of them. */
  readonly partition?: Partition
  /** Event types to deliver. */
  readonly types: readonly string[]
  readonly lanes: readonly Lane[]

  /** Whether events are fetched. Without, a lane gets no more than the positions of a chunk. */
  readonly fetches: boolean

  /**
   * Whether a chunk must be on disk before the next begins. Without, a crash of the server may take
   * back chunks together with their checkpoints; they are applied again. Right for rows that follow
   * from the log, wrong for what starts something outside.
   */
  readonly durable: boolean

  /** Default `'stop'`. */
  readonly onError?: OnError

  /** Events that may be parked before it stops after all. Default 1,000. */
  readonly maxParked?: number

  /** Told before each run how many positions of the log lie before it, those of the run among them. */
  observe?(behind: bigint): void

  /** Brings an event to the newest shape of its type. */
  upcast(event: SequencedEvent): SequencedEvent

  /**
   * All events that the log held a moment ago are applied. Called again at the next such moment if it gives
   * false.
   */
  caughtUp?(): Promise<boolean>
}
