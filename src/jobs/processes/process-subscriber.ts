import type pg from 'pg'
import type { NewEvent } from '../../core/event.ts'
import { type Advanced, advance } from '../../core/processes/advance.ts'
import { type Instance, stateOfInstance } from '../../core/processes/instance.ts'
import {
  ProcessAdvanced,
  processFacts,
  processStreamPrefix,
  toInput,
} from '../../core/processes/process-events.ts'
import type { AnyProcess } from '../../core/processes/process-manager.ts'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { appendToStreams } from '../../store/append.ts'
import { handlerFailed } from '../../subscriptions/handler-failed.ts'
import type { Chunk } from '../../subscriptions/lane.ts'
import type { Subscriber } from '../../subscriptions/subscriber.ts'
import type { SubscriptionId } from '../../subscriptions/subscription-id.ts'
import { enqueueJobs, type JobTarget } from '../enqueue-jobs.ts'
import { type Answered, cancelTimers, jobsOf, processActionId } from './process-jobs.ts'
import { foldHistory, readHistories, upcastTold } from './read-instances.ts'
import { saveInstances } from './save-instances.ts'

/** Names the checkpoint of a process. */
export function processSubscription(process: { readonly name: string }): SubscriptionId {
  return { kind: 'process', name: process.name, version: 1 }
}

/** Tells the instances of a process what happens, and records what they answer. */
export function processSubscriber(definition: AnyProcess, target: JobTarget): Subscriber {
  const id = processSubscription(definition)
  const types = new Set([...definition.registry.types, ...processFacts.map(({ type }) => type)])
  return {
    id,
    types: [...types],
    fetches: true,
    durable: true,
    onError: definition.onError,
    upcast: (event) => upcastTold(definition, event),
    lanes: [
      {
        name: 'instances',
        keyOf: (event) => instanceOf(definition, id, event),
        apply: (client, { events }: Chunk) => tellAll(definition, target, client, events ?? []),
        committed: () => {},
        reset: () => {},
      },
    ],
  }
}

/** Which instance an event is for. */
function instanceOf(
  definition: AnyProcess,
  id: SubscriptionId,
  event: SequencedEvent,
): string | null {
  const prefix = processStreamPrefix(definition)
  if (event.streamId.startsWith(prefix)) return event.streamId.slice(prefix.length)
  if (definition.registry.definitionOf(event.type) === undefined) return null
  try {
    const instance: unknown = definition.idOf(event)
    if (instance === null || instance === undefined) return null
    if (typeof instance === 'string' && instance !== '') return instance
  } catch (error) {
    throw handlerFailed(id, event, error)
  }
  throw handlerFailed(id, event, new Error('its `id` gave no text, or an empty one'))
}

/** Tells instances events, in order, and records all answers by one append, with the jobs that they ask for. */
async function tellAll(
  definition: AnyProcess,
  target: JobTarget,
  client: pg.ClientBase,
  events: readonly SequencedEvent[],
): Promise<void> {
  const id = processSubscription(definition)
  const prefix = processStreamPrefix(definition)
  const told = events.flatMap((event) => {
    const instance = instanceOf(definition, id, event)
    return instance === null ? [] : [{ event, streamId: `${prefix}${instance}` }]
  })
  if (told.length === 0) return
  const instances = await loadInstances(definition, target, client, told)
  const before = new Map(instances)
  const answered: Answered[] = []
  for (const { event, streamId } of told) {
    const advanced = tell(definition, id, streamId, instances.get(streamId), event)
    if (advanced === null) continue
    instances.set(streamId, advanced.instance)
    answered.push({ ...advanced, streamId, event })
  }
  if (answered.length === 0) return
  await append(client, target, answered)
  await saveInstances(client, target.names, definition, answered)
  const jobs = answered.flatMap((one) => jobsOf(definition, withoutDropped(one, instances)))
  await enqueueJobs(client, target, jobs)
  await cancelTimers(client, definition, target, droppedTimers(before, instances))
}

async function loadInstances(
  definition: AnyProcess,
  { names }: JobTarget,
  client: pg.ClientBase,
  told: readonly { readonly event: SequencedEvent; readonly streamId: string }[],
): Promise<Map<string, Instance>> {
  const eventOf = new Map(told.map(({ event, streamId }) => [streamId, event]))
  const histories = await readHistories(client, names, [...eventOf.keys()])
  const instances = new Map<string, Instance>()
  for (const [streamId, event] of eventOf) {
    try {
      const instance = foldHistory(definition, streamId, histories.get(streamId) ?? [])
      if (instance !== undefined) instances.set(streamId, instance)
    } catch (error) {
      throw handlerFailed(processSubscription(definition), event, error)
    }
  }
  return instances
}

function tell(
  definition: AnyProcess,
  id: SubscriptionId,
  streamId: string,
  instance: Instance | undefined,
  event: SequencedEvent,
): Advanced | null {
  try {
    const input = toInput(streamId, event)
    const actionId = (index: number) => processActionId(streamId, event.id, index)
    return advance(definition, instance, { input, at: event.recordedAt, actionId })
  } catch (error) {
    throw handlerFailed(id, event, error)
  }
}

async function append(
  client: pg.ClientBase,
  { names }: JobTarget,
  answered: readonly Answered[],
): Promise<void> {
  const byStream = new Map<string, NewEvent[]>()
  for (const one of answered) {
    const events = byStream.get(one.streamId)
    if (events === undefined) byStream.set(one.streamId, [toEvent(one)])
    else events.push(toEvent(one))
  }
  const appends = [...byStream].map(([streamId, events]) => ({ streamId, events }))
  await appendToStreams(client, names, appends)
}

function toEvent({ event, actions, instance }: Answered): NewEvent {
  const { id, type, streamId, version, metadata } = event
  return ProcessAdvanced(
    {
      told: { id, type, streamId, version: version.toString() },
      actions,
      state: stateOfInstance(instance),
    } as never,
    { metadata: { correlationId: metadata.correlationId ?? id, causationId: id } },
  )
}

/** A timer that was cancelled within the chunk needs no job. */
function withoutDropped(one: Answered, after: ReadonlyMap<string, Instance>): Answered {
  const running = new Set(after.get(one.streamId)?.timers.map(({ id }) => id))
  const actions = one.actions.filter(({ kind, ...rest }) => {
    return kind !== 'timer' || ('id' in rest && running.has(rest.id))
  })
  return { ...one, actions }
}

/** Timers that were running and are not, whose jobs need not run. */
function droppedTimers(
  before: ReadonlyMap<string, Instance>,
  after: ReadonlyMap<string, Instance>,
) {
  return [...before].flatMap(([streamId, { timers }]) => {
    const running = new Set(after.get(streamId)?.timers.map(({ id }) => id))
    return timers.filter(({ id }) => !running.has(id)).map((timer) => ({ ...timer, streamId }))
  })
}
