import type { SequencedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import { handlerFailed } from '../subscriptions/handler-failed.ts'
import type { Subscriber } from '../subscriptions/subscriber.ts'
import type { SubscriptionId } from '../subscriptions/subscription-id.ts'
import { enqueueJobs } from './enqueue-jobs.ts'
import { reactorOrigin } from './job-origin.ts'
import type { RequestedJob } from './job-spec.ts'
import type { Reactor } from './reactor.ts'
import { LoadShedder } from './shedding/load-shedder.ts'
import { recordShed } from './shedding/shed-events.ts'

/** Names the checkpoint of a reactor. */
export function reactorSubscription(reactor: { readonly name: string }): SubscriptionId {
  return { kind: 'reactor', name: reactor.name, version: 1 }
}

/**
 * Enqueues the jobs that events ask for. While it is too far behind it passes over those of the types that it
 * may shed, and records them.
 *
 * @param onShedding called whenever it begins or ceases to shed.
 */
export function reactorSubscriber(
  reactor: Reactor,
  names: LogNames,
  jobSchema: string,
  onShedding: (shedder: LoadShedder) => void = () => {},
): Subscriber {
  const id = reactorSubscription(reactor)
  const { onError, maxParked } = reactor
  const shedder = reactor.shed === undefined ? undefined : new LoadShedder(reactor.shed)
  const isShed = ({ type }: SequencedEvent) => shedder?.sheds(type) === true
  return {
    id,
    types: reactor.registry.types,
    fetches: true,
    durable: true,
    onError,
    ...(maxParked === undefined ? {} : { maxParked }),
    observe: (behind) => {
      if (shedder?.observe(behind) === true) onShedding(shedder)
    },
    upcast: (event) => reactor.registry.upcast(event),
    lanes: [
      {
        name: 'jobs',
        keyOf: (event) => event.streamId,
        apply: async (client, { events }) => {
          const shed = (events ?? []).filter(isShed)
          const kept = (events ?? []).filter((event) => !isShed(event))
          const jobs = kept.flatMap((event) => jobsOf(reactor, id, event))
          if (jobs.length > 0) await enqueueJobs(client, { names, jobSchema }, jobs)
          if (shed.length > 0 && shedder !== undefined)
            await recordShed(client, names, reactor.name, shed, shedder.behind)
        },
        committed: () => {},
        reset: () => {},
      },
    ],
  }
}

function jobsOf(
  reactor: Reactor,
  id: SubscriptionId,
  event: SequencedEvent,
): readonly RequestedJob[] {
  try {
    const asked = reactor.on[event.type]?.(event) ?? []
    const jobs = 'task' in asked ? [asked] : asked
    const { streamId, recordedAt: requestedAt } = event
    return jobs.map((job, index) => {
      return { job, origin: reactorOrigin(reactor.name, event, index), requestedAt, streamId }
    })
  } catch (error) {
    throw handlerFailed(id, event, error)
  }
}
