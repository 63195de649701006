import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import type { LogNames } from '../db/log-names.ts'
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

/** What became of events that could not be applied, and what to do about them. */
export interface ParkedStore {
  /** Lists the keys that are parked, each with its first event and why it failed. */
  list(filter?: ParkedFilter): Promise<readonly ParkedKey[]>

  /** Lists the parked events themselves, in the order of the log. */
  events(filter?: ParkedFilter): Promise<readonly ParkedEntry[]>

  /**
   * Applies the parked events of one version of a projection, in order. See `retryParked`.
   *
   * @throws PROJECTION_VERSION_UNKNOWN, PROJECTION_DRIFTED, PARKED_EVENT_UNKNOWN, DEFINITION_INVALID
   */
  retry(projection: AnyProjection, options?: RetryOptions): Promise<RetryResult>

  /** Gives up parked events of one version of a projection. See `discardParked`. */
  discard(
    projection: { readonly name: string; readonly version: number },
    target: DiscardTarget,
  ): Promise<DiscardResult>
}

/** Makes the part of a store that sees to parked events. */
export function parkedStore(pool: pg.Pool, names: LogNames, logger: Logger): ParkedStore {
  return {
    list: (filter) => listParked(pool, names, filter),
    events: (filter = {}) => listParkedEvents(pool, names, filter),
    retry: async (projection, options) => {
      const version = await ensureVersion(pool, names, projection, 'none')
      if (version === undefined) throw unknownVersion(projection.name, projection.version)
      return retryParked(pool, names, projectionSubscriber(projection, names), options)
    },
    discard: (projection, target) =>
      discardParked(pool, names, projectionSubscription(projection), target, logger),
  }
}
