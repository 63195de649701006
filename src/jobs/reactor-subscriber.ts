import type pg from 'pg'
import type { SequencedEvent } from '../core/recorded-event.ts'
import { quoteIdent } from '../db/quote-ident.ts'
import { handlerFailed } from '../subscriptions/handler-failed.ts'
import type { Subscriber } from '../subscriptions/subscriber.ts'
import type { SubscriptionId } from '../subscriptions/subscription-id.ts'
import type { Reactor } from './reactor.ts'
import type { Job } from './task.ts'

/** Names the checkpoint of a reactor. */
export function reactorSubscription(reactor: { readonly name: string }): SubscriptionId {
  return { kind: 'reactor', name: reactor.name, version: 1 }
}

/** Enqueues the jobs that events ask for. */
export function reactorSubscriber(reactor: Reactor, jobSchema: string): Subscriber {
  const id = reactorSubscription(reactor)
  return {
    id,
    types: reactor.registry.types,
    fetches: true,
    durable: true,
    upcast: (event) => reactor.registry.upcast(event),
    lanes: [
      {
        name: 'jobs',
        keyOf: (event) => event.streamId,
        apply: async (client, { events }) => {
          const jobs = (events ?? []).flatMap((event) => jobsOf(reactor, id, event))
          if (jobs.length > 0) await enqueue(client, jobSchema, jobs)
        },
        committed: () => {},
        reset: () => {},
      },
    ],
  }
}

function jobsOf(reactor: Reactor, id: SubscriptionId, event: SequencedEvent): readonly Job[] {
  try {
    const jobs = reactor.on[event.type]?.(event) ?? []
    return 'task' in jobs ? [jobs] : jobs
  } catch (error) {
    throw handlerFailed(id, event, error)
  }
}

/** One call for all jobs: it notifies once, and notifying commits take turns across the cluster. */
async function enqueue(
  client: pg.ClientBase,
  jobSchema: string,
  jobs: readonly Job[],
): Promise<void> {
  const specs = jobs.map(({ task, payload, options }) => ({
    identifier: task,
    payload,
    run_at: options.runAt?.toISOString(),
    max_attempts: options.maxAttempts,
    queue_name: options.queueName,
    priority: options.priority,
  }))
  const schema = quoteIdent(jobSchema)
  await client.query(
    /* sql */ `
    select
    from ${schema}.add_jobs(
      array(select json_populate_recordset(null::${schema}.job_spec, $1::json))
    )`,
    [JSON.stringify(specs)],
  )
}
