import type pg from 'pg'
import type { NewEvent } from '../../core/event.ts'
import { eventRegistry } from '../../core/event-registry.ts'
import {
  type Instance,
  type InstanceState,
  isStuck,
  isStuckUndoing,
  type ProcessStep,
  type ProcessTimer,
  stateOfInstance,
} from '../../core/processes/instance.ts'
import {
  ProcessAbortAsked,
  ProcessRetryAsked,
  ProcessSettled,
  processStreamPrefix,
} from '../../core/processes/process-events.ts'
import type { AnyProcess } from '../../core/processes/process-manager.ts'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { run } from '../../db/queryable.ts'
import { transaction } from '../../db/transaction.ts'
import { appendToStream } from '../../store/append.ts'
import { discardDeadCommands } from './process-jobs.ts'
import { foldHistory, type InstanceStep, readHistories } from './read-instances.ts'

/** How an instance of a process is doing. */
export interface InstanceSummary {
  readonly process: string
  readonly id: string
  readonly state: InstanceState
  /** Why it failed. */
  readonly reason: string | null
  /** Position of the event that it was told last. */
  readonly position: bigint
  readonly begunAt: Date
  readonly changedAt: Date
}

/** An instance with all that it has asked for, and all that it was told. */
export interface InstanceDetails extends InstanceSummary {
  /** What `evolve` has made of the events. Undefined when the process was given by its name alone. */
  readonly value: unknown
  /** Its commands, in the order in which it asked for them. */
  readonly steps: readonly ProcessStep[]
  /** Timers that are running. */
  readonly timers: readonly ProcessTimer[]
  readonly history: readonly InstanceStep[]
}

export interface InstanceFilter {
  readonly process?: string
  readonly state?: InstanceState
  /** Default 1,000. */
  readonly maxInstances?: number
}

/** A process, or the name of one. */
export type ProcessName = string | { readonly name: string }

/** The part of a store that knows processes. */
export interface ProcessStore {
  /** Lists instances, those first that have been told something last. */
  list(filter?: InstanceFilter): Promise<readonly InstanceSummary[]>

  /**
   * Shows an instance: its state, if the definition is given, what it has asked for, and its history.
   *
   * @throws PROCESS_INSTANCE_UNKNOWN
   */
  show(process: AnyProcess | string, id: string): Promise<InstanceDetails>

  /**
   * Has what is stuck in an instance tried again. Workers do it.
   *
   * @throws PROCESS_INSTANCE_UNKNOWN; PROCESS_STATE_INVALID when nothing is stuck.
   */
  retry(process: ProcessName, id: string): Promise<void>

  /**
   * Says that somebody has done by hand what a compensation that is stuck should have done, or that nobody needs
   * it: it is not tried again, and what comes before it is undone. The reason is recorded in the instance's
   * stream. Workers go on from there.
   *
   * @throws PROCESS_INSTANCE_UNKNOWN; PROCESS_STATE_INVALID when no compensation is stuck.
   */
  settle(process: ProcessName, id: string, reason: string): Promise<void>

  /**
   * Has an instance fail, so that it undoes what it has done. Workers do it.
   *
   * @throws PROCESS_INSTANCE_UNKNOWN; PROCESS_STATE_INVALID when it is over, or has failed already.
   */
  abort(process: ProcessName, id: string, reason: string): Promise<void>
}

interface Row {
  readonly process: string
  readonly id: string
  readonly state: InstanceState
  readonly reason: string | null
  readonly position: string
  readonly begun_at: Date
  readonly changed_at: Date
}

/** Makes the part of a store that knows processes. */
export function processStore(
  pool: pg.Pool,
  { names, jobSchema }: { readonly names: LogNames; readonly jobSchema: string | null },
): ProcessStore {
  const ask = (process: ProcessName, id: string, ask: Asking) =>
    transaction(pool, async (client) => {
      const name = nameOf(process)
      const { instance, streamId } = await readInstance(client, names, bare(name), id)
      const state = stateOfInstance(instance)
      if (!ask.isFor(instance)) throw stateInvalid(name, id, state, ask.what)
      const stuck = instance.steps.filter((step) => isStuck(step, instance.phase))
      if (jobSchema !== null) await discardDeadCommands(client, jobSchema, stuck)
      await appendToStream(client, names, { streamId, events: [ask.event] })
    })
  return {
    list: (filter) => listInstances(pool, names, filter),
    show: async (process, id) => {
      const [summary] = await listInstances(pool, names, { process: nameOf(process), id })
      const definition = typeof process === 'string' ? bare(process) : process
      const { instance, history } = await readInstance(pool, names, definition, id)
      if (summary === undefined) throw instanceUnknown(nameOf(process), id)
      const { state: value, steps, timers } = instance
      return { ...summary, value, steps, timers, history }
    },
    retry: (process, id) =>
      ask(process, id, {
        what: 'be retried',
        event: ProcessRetryAsked({ by: null } as never),
        isFor: ({ steps, phase }) => steps.some((step) => isStuck(step, phase)),
      }),
    settle: (process, id, reason) =>
      ask(process, id, {
        what: 'be settled: none of its compensations is stuck',
        event: ProcessSettled({ reason } as never),
        isFor: ({ steps }) => steps.some(isStuckUndoing),
      }),
    abort: (process, id, reason) =>
      ask(process, id, {
        what: 'be aborted',
        event: ProcessAbortAsked({ reason } as never),
        isFor: ({ phase }) => phase === 'running' || phase === 'completing',
      }),
  }
}

/** What somebody wants of an instance. */
interface Asking {
  readonly what: string
  readonly event: NewEvent
  readonly isFor: (instance: Instance) => boolean
}

const defaults = { maxInstances: 1_000 }

async function listInstances(
  pool: pg.Pool,
  names: LogNames,
  filter: InstanceFilter & { readonly id?: string } = {},
): Promise<readonly InstanceSummary[]> {
  const { process = null, state = null, id = null, maxInstances } = { ...defaults, ...filter }
  const rows = await run<Row>(pool, {
    text: /* sql */ `
      select process, id, state, reason, position::text, begun_at, changed_at
      from ${names.schema}.process_instances
      where ($1::text is null or process = $1)
        and ($2::text is null or state = $2)
        and ($3::text is null or id = $3)
      order by position desc, process, id
      limit $4`,
    values: [process, state, id, maxInstances],
  })
  return rows.map(({ begun_at, changed_at, position, ...row }) => {
    return { ...row, position: BigInt(position), begunAt: begun_at, changedAt: changed_at }
  })
}

async function readInstance(
  connection: pg.Pool | pg.ClientBase,
  names: LogNames,
  definition: AnyProcess,
  id: string,
) {
  const streamId = `${processStreamPrefix(definition)}${id}`
  const history = (await readHistories(connection, names, [streamId])).get(streamId) ?? []
  const instance = foldHistory(definition, streamId, history)
  if (instance === undefined) throw instanceUnknown(definition.name, id)
  return { instance, history, streamId }
}

/** A process of which nothing is known but its name: its instances have no state, and all the rest. */
function bare(name: string): AnyProcess {
  const registry = { ...eventRegistry([]), upcast: <E>(event: E) => event }
  return { name, registry, initial: () => undefined, evolve: {} } as unknown as AnyProcess
}

function nameOf(process: ProcessName): string {
  return typeof process === 'string' ? process : process.name
}

function instanceUnknown(process: string, id: string): TidemarkError {
  return new TidemarkError(
    'PROCESS_INSTANCE_UNKNOWN',
    `process "${process}" has no instance "${id}": \`tidemark process list ${process}\` shows those that it has`,
    { details: { process, id } },
  )
}

function stateInvalid(
  process: string,
  id: string,
  state: InstanceState,
  what: string,
): TidemarkError {
  return new TidemarkError(
    'PROCESS_STATE_INVALID',
    `instance "${id}" of process "${process}" is ${state} and cannot ${what}`,
    { details: { process, id, state } },
  )
}
