import type { AnyEventDefinition } from '../core/event.ts'
import { keepTrying } from '../db/keep-trying.ts'
import type { Reactor } from '../jobs/reactor.ts'
import { type RunJobsOptions, runJobs } from '../jobs/run-jobs.ts'
import type { AnyTask } from '../jobs/task.ts'
import type { TaskStore } from '../jobs/task-context.ts'
import type { AnyProjection } from '../projections/projection.ts'
import { createStore, type Store, type StoreOptions } from './create-store.ts'

export interface JobPartOptions
  extends Omit<RunJobsOptions, 'store'>,
    Pick<StoreOptions, 'connectionString' | 'events' | 'inline'> {
  readonly tasks: readonly AnyTask[]
  readonly projections: readonly AnyProjection[]
  readonly reactors: readonly Reactor[]
  /** For tasks, instead of one of the worker's own. */
  readonly store?: TaskStore | undefined
}

/** Runs jobs until aborted, with a store for their handlers. */
export async function runJobPart(options: JobPartOptions, signal: AbortSignal): Promise<void> {
  const { tasks, store } = options
  if (store !== undefined) return runJobs(tasks, { ...options, store }, signal)
  const own = await openPatiently(options, signal)
  if (own === undefined) return
  await runJobs(tasks, { ...options, store: own }, signal).finally(() => own.close())
}

/** The server may go just now. */
async function openPatiently(
  options: JobPartOptions,
  signal: AbortSignal,
): Promise<Store | undefined> {
  const { connectionString, names, inline, jobSchema, concurrency, logger } = options
  const opened = new AbortController()
  let store: Store | undefined
  const open = async () => {
    store = await createStore({
      connectionString,
      schema: names.schema,
      events: eventsOf(options),
      jobSchema,
      logger,
      maxConnections: Math.max(concurrency, 2),
      ...(inline === undefined ? {} : { inline }),
    })
    opened.abort()
  }
  const ended = AbortSignal.any([signal, opened.signal])
  await keepTrying(open, { task: 'store of tasks', signal: ended, logger })
  return store
}

/** All that the worker knows of; of two definitions of a type the newer one. */
function eventsOf({ events = [], projections, reactors }: JobPartOptions): AnyEventDefinition[] {
  const known = [...projections, ...reactors].flatMap(({ registry }) => registry.definitions)
  const byType = new Map<string, AnyEventDefinition>()
  for (const definition of [...events, ...known]) {
    const other = byType.get(definition.type)
    if (other === undefined || other.schemaVersion < definition.schemaVersion)
      byType.set(definition.type, definition)
  }
  return [...byType.values()]
}
