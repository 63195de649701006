import type { SequencedEvent } from '../core/recorded-event.ts'
import type { LogNames } from '../db/log-names.ts'
import { handlerFailed } from '../subscriptions/handler-failed.ts'
import type { Subscriber } from '../subscriptions/subscriber.ts'
import type { SubscriptionId } from '../subscriptions/subscription-id.ts'
import { enqueueJobs } from './enqueue-jobs.ts'
import { reactorOrigin } from './job-origin.ts'
import type { RequestedJob } from './job-spec.ts'
import type { Reactor } from './reactor.ts'

/** Names the checkpoint of a reactor. */
export function reactorSubscription(reactor: { readonly name: string }): SubscriptionId {
  return { kind: 'reactor', name: reactor.name, version: 1 }
}

/** Enqueues the jobs that events ask for. */
export function reactorSubscriber(
  reactor: Reactor,
  names: LogNames,
  jobSchema: string,
): Subscriber {
  const id = reactorSubscription(reactor)
  const { onError, maxParked } = reactor
  return {
    id,
    types: reactor.registry.types,
    fetches: true,
    durable: true,
    onError,
    ...(maxParked === undefined ? {} : { maxParked }),
    upcast: (event) => reactor.registry.upcast(event),
    lanes: [
      {
        name: 'jobs',
        keyOf: (event) => event.streamId,
        apply: async (client, { events }) => {
          const jobs = (events ?? []).flatMap((event) => jobsOf(reactor, id, event))
          if (jobs.length > 0) await enqueueJobs(client, { names, jobSchema }, jobs)
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
