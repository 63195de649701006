import type pg from 'pg'
import type { AnyDecider } from '../../core/decider.ts'
import type { NewEvent } from '../../core/event.ts'
import { failpoint } from '../../core/failpoint.ts'
import type { Json } from '../../core/json.ts'
import {
  ProcessCommandGaveUp,
  ProcessCommandRejected,
  ProcessCommandSucceeded,
  ProcessTimerElapsed,
} from '../../core/processes/process-events.ts'
import type { AnyProcess } from '../../core/processes/process-manager.ts'
import { isTidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import type { Connection } from '../../db/queryable.ts'
import { transaction } from '../../db/transaction.ts'
import type { Accepted, ExecuteOptions, Refused } from '../../store/execute.ts'
import { retryRaces } from '../../store/retry-races.ts'
import type { AnyTask } from '../task.ts'
import type { TaskContext } from '../task-context.ts'
import { type CommandJob, type ProcessJob, processTaskName, type TimerJob } from './process-jobs.ts'
import { foldHistory, readHistories } from './read-instances.ts'

export interface ProcessTaskContext {
  readonly pool: pg.Pool
  readonly names: LogNames
}

/** Makes the task that carries out what the instances of a process have asked for. */
export function processTask(definition: AnyProcess, context: ProcessTaskContext): AnyTask {
  return {
    task: processTaskName(definition),
    timeoutMs: null,
    breaker: null,
    check: (payload) => payload,
    run: (payload, task) => {
      const job = payload as ProcessJob
      return job.kind === 'timer'
        ? elapse(definition, context, job, task)
        : command(definition, context, job, task)
    },
  }
}

/** Tells the instance, unless it does not wait for the timer any more. In doubt it decides by itself. */
async function elapse(
  definition: AnyProcess,
  { pool, names }: ProcessTaskContext,
  { streamId, timer, name }: TimerJob,
  { store }: TaskContext,
): Promise<void> {
  const histories = await readHistories(pool, names, [streamId])
  const instance = foldHistory(definition, streamId, histories.get(streamId) ?? [])
  if (instance?.timers.some(({ id }) => id === timer) !== true) return
  await store.append(streamId, ProcessTimerElapsed({ timer, name } as never), { key: timer })
}

/**
 * Carries out a command and records its outcome in one transaction: both, or neither. So a command acts once,
 * whatever crashes, and however many workers believe that the job is theirs.
 */
async function command(
  definition: AnyProcess,
  context: ProcessTaskContext,
  job: CommandJob,
  task: TaskContext,
): Promise<void> {
  const { signal } = task
  const operation = `command "${job.call.command}"`
  const race = { operation, races: ['STREAM_VERSION_CONFLICT'], maxAttempts: 10, signal } as const
  try {
    await retryRaces(race, () => actOnce(definition, context, job, task))
  } catch (error) {
    if (error instanceof AlreadyDone) return
    if (task.job.isLastAttempt && !signal.aborted) await giveUp(job, task, error)
    throw error
  }
}

async function actOnce(
  definition: AnyProcess,
  { pool }: ProcessTaskContext,
  job: CommandJob,
  { store }: TaskContext,
): Promise<void> {
  const { streamId, action, run, call } = job
  const decider = definition.deciders.find(({ name }) => name === call.decider)
  if (decider === undefined) {
    throw new Error(`process "${definition.name}" has no decider "${call.decider}" any more`)
  }
  await transaction(
    pool,
    async (tx) => {
      const execute = store.execute as unknown as ExecuteAny
      const options = { tx, key: action }
      const result = await execute(decider, call.target, call.command, call.input, options)
      const outcome = result.ok
        ? ProcessCommandSucceeded({ action } as never)
        : ProcessCommandRejected({ action, ...rejectionOf(result.rejection) } as never)
      await record(store, tx, streamId, outcome, `${action}:${run}`)
      failpoint('process-acted')
    },
    { isolation: 'read committed' },
  )
  failpoint('process-outcome-recorded')
}

/** A command that was read from the log has no types. */
type ExecuteAny = (
  decider: AnyDecider,
  id: string,
  command: string,
  input: unknown,
  options: ExecuteOptions,
) => Promise<Accepted | Refused>

/** @throws AlreadyDone when an outcome is recorded, so that what was done just now is undone. */
async function record(
  store: TaskContext['store'],
  tx: Connection,
  streamId: string,
  outcome: NewEvent,
  key: string,
): Promise<void> {
  try {
    const { replayed } = await store.append(streamId, outcome, { tx, key })
    if (!replayed) return
  } catch (error) {
    if (!isTidemarkError(error, 'APPEND_KEY_REUSED')) throw error
  }
  throw new AlreadyDone()
}

class AlreadyDone extends Error {}

function rejectionOf({
  code,
  details = null,
}: {
  readonly code: string
  readonly details: unknown
}) {
  return { code, details: details as Json }
}

/** The job is a dead letter now. When that is retried, and succeeds, the instance hears of it. */
async function giveUp(
  { streamId, action, run }: CommandJob,
  { store }: TaskContext,
  error: unknown,
): Promise<void> {
  const message = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ')
  const text = message.replaceAll('\0', '').toWellFormed().slice(0, 1_000)
  const event = ProcessCommandGaveUp({ action, error: text } as never)
  // A dead letter that was retried may be one again.
  await store.append(streamId, event).catch((failure: unknown) => {
    throw new AggregateError([error, failure], `cannot record that it was given up: ${run}`)
  })
}
