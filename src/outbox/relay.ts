import { TidemarkError } from '../core/tidemark-error.ts'
import type { SubscriptionId } from '../subscriptions/subscription-id.ts'
import type { OpenPublisher } from './publisher.ts'
import { checkPattern } from './topic-pattern.ts'

export interface RelayOptions {
  /** Patterns of topics, of which a message has to match one: `orders.*.placed`, `orders.#`. Default: all. */
  readonly topics?: readonly string[]
  /** Where messages go: `rabbitmq({…})`, or a publisher of your own. */
  readonly to: OpenPublisher
  /**
   * Where a new relay begins: with what is published from now on, with all that is left in the outbox, or after
   * a position. Default `'now'`.
   */
  readonly from?: 'now' | 'start' | bigint
  /** Messages that are given to the broker at once, before it has confirmed them. Default 1,000. */
  readonly maxInFlight?: number
  /**
   * What to do with a message that the broker will never take: stop in front of it (default), or park it with
   * all later ones of its key and go on with the rest.
   */
  readonly onRefused?: 'stop' | 'park'
  /** Messages that may be parked before it stops after all. Default 1,000. */
  readonly maxParked?: number
  /** The `source` of its CloudEvents, a URI reference. Default `/tidemark`, with the log's schema. */
  readonly source?: string
}

/** A relay's definition: gives messages of the outbox to a broker. */
export interface Relay {
  readonly kind: 'relay'
  readonly name: string
  /** Null: all. */
  readonly topics: readonly string[] | null
  readonly to: OpenPublisher
  readonly from: 'now' | 'start' | bigint
  readonly maxInFlight: number
  readonly onRefused: 'stop' | 'park'
  readonly maxParked: number
  readonly source: string | null
}

const defaults = { from: 'now', maxInFlight: 1_000, onRefused: 'stop', maxParked: 1_000 } as const

/**
 * Defines a relay. One worker at a time runs it: it reads the outbox in its order and moves its checkpoint only
 * when the broker has confirmed. So every message is published at least once, those of one key in their
 * order; after a failure some may come twice, with the same id.
 *
 * @throws DEFINITION_INVALID
 * @example
 * relay('shop', { topics: ['orders.#'], to: rabbitmq({ url, exchange: 'shop' }) })
 */
export function relay(name: string, options: RelayOptions): Relay {
  const { topics, to, source = null, ...rest } = options
  const made = { ...defaults, ...rest }
  if (name === '') throw invalid(name, 'the name is empty')
  if (topics?.length === 0) throw invalid(name, 'it has no topics')
  for (const option of ['maxInFlight', 'maxParked'] as const) {
    if (!Number.isInteger(made[option]) || made[option] < 1) {
      throw invalid(name, `${option} is no whole number from 1`)
    }
  }
  const patterns = topics?.map((pattern) => checkPattern(name, pattern)) ?? null
  return { kind: 'relay', name, topics: patterns, to, source, ...made }
}

/** Names the checkpoint of a relay: a position of the outbox. */
export function relaySubscription({ name }: { readonly name: string }): SubscriptionId {
  return { kind: 'relay', name, version: 1 }
}

function invalid(name: string, reason: string): TidemarkError {
  return new TidemarkError('DEFINITION_INVALID', `relay "${name}": ${reason}`, {
    details: { name, reason },
  })
}
