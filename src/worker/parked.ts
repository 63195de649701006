import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import type { AnyProcess } from '../core/processes/process-manager.ts'
import type { LogNames } from '../db/log-names.ts'
import {
  type DeadJob,
  type DeadJobFilter,
  discardDeadJobs,
  jobUnknown,
  listDeadJobs,
  retryDeadJobs,
} from '../jobs/dead-jobs.ts'
import type { JobTarget } from '../jobs/enqueue-jobs.ts'
import { processSubscriber } from '../jobs/processes/process-subscriber.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { reactorSubscriber } from '../jobs/reactor-subscriber.ts'
import {
  discardParkedMessages,
  type ParkedMessageTarget,
  retryParkedMessages,
} from '../outbox/change-parked.ts'
import {
  listParkedMessageKeys,
  listParkedMessages,
  type ParkedMessage,
  type ParkedMessageFilter,
  type ParkedMessageKey,
} from '../outbox/parked-messages.ts'
import {
  projectionSubscriber,
  projectionSubscription,
} from '../projections/lanes/projection-subscriber.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { unknownVersion } from '../projections/versions/switch-version.ts'
import { ensureVersion } from '../projections/versions/versions.ts'
import {
  type DiscardResult,
  type DiscardTarget,
  discardParked,
} from '../subscriptions/parking/discard-parked.ts'
import {
  listParked,
  listParkedEvents,
  type ParkedEntry,
  type ParkedFilter,
  type ParkedKey,
} from '../subscriptions/parking/parked-key.ts'
import {
  type RetryOptions,
  type RetryResult,
  retryParked,
} from '../subscriptions/parking/retry-parked.ts'
import type { Subscriber } from '../subscriptions/subscriber.ts'

/** What can have events parked. */
type Parking = AnyProjection | Reactor | AnyProcess

/** What became of events, messages and jobs that failed for good, and what to do about them. */
export interface ParkedStore {
  /** Lists the keys that are parked, each with its first event and why it failed. */
  list(filter?: ParkedFilter): Promise<readonly ParkedKey[]>

  /** Lists the parked events themselves, in the order of the log. */
  events(filter?: ParkedFilter): Promise<readonly ParkedEntry[]>

  /**
   * Applies the parked events of one version of a projection, enqueues what those of a reactor ask for, or tells
   * a process of its own, in order. See `retryParked`.
   *
   * @throws PROJECTION_VERSION_UNKNOWN, PROJECTION_DRIFTED, PARKED_EVENT_UNKNOWN, DEFINITION_INVALID
   */
  retry(definition: Parking, options?: RetryOptions): Promise<RetryResult>

  /** Gives up parked events of one version of a projection, a reactor or a process. See `discardParked`. */
  discard(
    definition:
      | { readonly name: string; readonly version: number }
      | { readonly kind: 'reactor' | 'process'; readonly name: string },
    target: DiscardTarget,
  ): Promise<DiscardResult>

  /** Lists the keys that relays have parked, each with its first message and why it was refused. */
  messageKeys(filter?: ParkedMessageFilter): Promise<readonly ParkedMessageKey[]>

  /** Lists the parked messages themselves, with what is in them, by relay and in their order. */
  messages(filter?: ParkedMessageFilter): Promise<readonly ParkedMessage[]>

  /**
   * Has the worker that runs a relay publish parked messages once more, in order. See `retryParkedMessages`.
   *
   * @returns their positions in the outbox.
   * @throws PARKED_EVENT_UNKNOWN
   */
  retryMessages(relay: string, target?: ParkedMessageTarget): Promise<readonly bigint[]>

  /** Gives up parked messages of a relay. See `discardParkedMessages`. @throws PARKED_EVENT_UNKNOWN */
  discardMessages(relay: string, target: ParkedMessageTarget): Promise<readonly bigint[]>

  /** Lists the jobs that gave up, the oldest first, with what asked for them and why they failed. */
  jobs(filter?: DeadJobFilter): Promise<readonly DeadJob[]>

  /** Has jobs that gave up run again. See `retryDeadJobs`. @throws JOB_UNKNOWN */
  retryJobs(filter?: DeadJobFilter): Promise<readonly string[]>

  /** Gives up jobs for good. See `discardDeadJobs`. @throws JOB_UNKNOWN */
  discardJobs(filter: DeadJobFilter): Promise<readonly string[]>
}

/** Makes the part of a store that sees to parked events and dead jobs. */
export function parkedStore(
  pool: pg.Pool,
  { names, jobSchema }: { readonly names: LogNames; readonly jobSchema: string | null },
  logger: Logger,
): ParkedStore {
  const subscriberOf = async (definition: Parking): Promise<Subscriber> => {
    if ('starts' in definition) return processSubscriber(definition, requireJobs())
    if ('on' in definition) return reactorSubscriber(definition, names, requireJobs().jobSchema)
    const version = await ensureVersion(pool, names, definition, 'none')
    if (version === undefined) throw unknownVersion(definition.name, definition.version)
    return projectionSubscriber(definition, names)
  }
  const requireJobs = (id = ''): JobTarget => {
    if (jobSchema === null) throw jobUnknown(id)
    return { names, jobSchema }
  }
  return {
    list: (filter) => listParked(pool, names, filter),
    events: (filter = {}) => listParkedEvents(pool, names, filter),
    retry: async (definition, options) =>
      retryParked(pool, names, await subscriberOf(definition), options),
    discard: (definition, target) => {
      const { name } = definition
      const id =
        'kind' in definition
          ? { kind: definition.kind, name, version: 1 }
          : projectionSubscription(definition)
      return discardParked(pool, names, id, target, logger)
    },
    messageKeys: (filter) => listParkedMessageKeys(pool, names, filter),
    messages: (filter) => listParkedMessages(pool, names, filter),
    retryMessages: (relay, target) => retryParkedMessages(pool, names, relay, target),
    discardMessages: (relay, target) => discardParkedMessages(pool, names, relay, target, logger),
    jobs: async (filter) =>
      jobSchema === null ? [] : listDeadJobs(pool, { names, jobSchema }, filter),
    retryJobs: async (filter) => retryDeadJobs(pool, requireJobs(filter?.id), filter),
    discardJobs: async (filter) => discardDeadJobs(pool, requireJobs(filter.id), filter, logger),
  }
}
