import type pg from 'pg'
import type { Logger } from '../core/logger.ts'
import type { LogNames } from '../db/log-names.ts'
import { jobUnknown } from '../jobs/dead-jobs.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { reactorSubscriber } from '../jobs/reactor-subscriber.ts'
import { type ReplayShedOptions, replayShed } from '../jobs/shedding/replay-shed.ts'
import { discardShed, listShed, type ShedEvents } from '../jobs/shedding/shed-events.ts'

/** What reactors have passed over while they were far behind, and what to do about it. */
export interface ShedStore {
  /** Lists what reactors have passed over and nobody has replayed, by name: of all, or of one. */
  list(reactor?: string): Promise<readonly ShedEvents[]>

  /** Enqueues what these events ask for. See `replayShed`. @throws SHED_EVENTS_UNKNOWN, HANDLER_FAILED */
  replay(definition: Reactor, options?: ReplayShedOptions): Promise<number>

  /** Gives them up. @returns how many they were. @throws SHED_EVENTS_UNKNOWN */
  discard(reactor: string): Promise<number>
}

/** Makes the part of a store that sees to shed events. */
export function shedStore(
  pool: pg.Pool,
  { names, jobSchema }: { readonly names: LogNames; readonly jobSchema: string | null },
  logger: Logger,
): ShedStore {
  return {
    list: (reactor) => listShed(pool, names, reactor),
    replay: async (definition, options) => {
      if (jobSchema === null) throw jobUnknown('')
      return replayShed(pool, names, reactorSubscriber(definition, names, jobSchema), options)
    },
    discard: (reactor) => discardShed(pool, names, reactor, logger),
  }
}
