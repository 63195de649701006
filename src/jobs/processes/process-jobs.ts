import type pg from 'pg'
import { v5 as uuidV5 } from 'uuid'
import type { CommandCall, JobRequest } from '../../core/processes/action.ts'
import type { Advanced } from '../../core/processes/advance.ts'
import type { ProcessStep, ProcessTimer, RecordedAction } from '../../core/processes/instance.ts'
import type { SequencedEvent } from '../../core/recorded-event.ts'
import { quoteIdent } from '../../db/quote-ident.ts'
import type { JobTarget } from '../enqueue-jobs.ts'
import type { Job } from '../job.ts'
import type { JobOrigin } from '../job-origin.ts'
import { type RequestedJob, toSpec } from '../job-spec.ts'

/** What a job of a process is to do. */
export type ProcessJob = CommandJob | TimerJob

/** Carries out a command and records its outcome. */
export interface CommandJob {
  readonly kind: 'command'
  /** The instance's. */
  readonly streamId: string
  readonly action: string
  /** Which time it is tried: the id of the event that the instance was told then. */
  readonly run: string
  readonly call: CommandCall
}

/** Tells an instance that a timer has run down. */
export interface TimerJob {
  readonly kind: 'timer'
  readonly streamId: string
  readonly timer: string
  readonly name: string
}

/** Names the task of graphile-worker that carries out what a process asks for. */
export function processTaskName({ name }: { readonly name: string }): string {
  return `process:${name}`
}

/** Namespace of the ids of actions: a UUID made for this once, as RFC 9562 (section 6.5) asks. */
const namespace = '5c9bd3a5-6a0e-4f0f-9c55-2a0c3f1c7b68'

/** Names the n-th action of an instance's answer to an event: the same however often that is computed. */
export function processActionId(streamId: string, eventId: string, index: number): string {
  return uuidV5(`${streamId}\n${eventId}\n${index}`, namespace)
}

/** What an instance was told, and its answer. */
export interface Answered extends Advanced {
  readonly streamId: string
  readonly event: SequencedEvent
}

type Named = { readonly name: string; readonly maxAttempts: number }

/** Lists the jobs that carry an answer out. */
export function jobsOf(process: Named, answered: Answered): readonly RequestedJob[] {
  const { event, streamId, actions } = answered
  return actions.flatMap((action) => {
    const job = jobOf(process, answered, action)
    if (job === undefined || !('id' in action)) return []
    const origin = originOf(process, event, action.id)
    const ordering = action.kind === 'job' ? event.streamId : streamId
    return [{ job, origin, requestedAt: event.recordedAt, streamId: ordering }]
  })
}

function jobOf(
  process: Named,
  { event, streamId }: Answered,
  action: RecordedAction,
): Job | undefined {
  const { maxAttempts } = process
  const task = processTaskName(process)
  switch (action.kind) {
    case 'command':
    case 'compensation':
    case 'retry': {
      const { id, call } = action
      const payload = { kind: 'command', streamId, action: id, run: event.id, call } as const
      return { task, payload: payload satisfies CommandJob, options: { maxAttempts } }
    }
    case 'timer':
      return timerJob(process, streamId, { ...action, dueAt: new Date(action.dueAt) })
    case 'job':
      return revive(action.job)
    default:
      return undefined
  }
}

function timerJob(process: Named, streamId: string, { id, name, dueAt }: ProcessTimer): Job {
  const payload = { kind: 'timer', streamId, timer: id, name } as const
  return {
    task: processTaskName(process),
    payload: payload satisfies TimerJob,
    options: { runAt: dueAt, coalesce: { key: id, runAt: 'last' } },
  }
}

/** JSON has no dates. */
function revive({ task, payload, options }: JobRequest): Job {
  const { runAt, ...rest } = options as { readonly runAt?: string }
  return { task, payload, options: { ...rest, ...(runAt && { runAt: new Date(runAt) }) } }
}

function originOf(process: Named, event: SequencedEvent, action: string): JobOrigin {
  const { id, type, streamId, position, metadata } = event
  const { correlationId } = metadata
  return {
    key: action,
    reactor: processTaskName(process),
    event: { id, type, streamId, position },
    correlationId: typeof correlationId === 'string' ? correlationId : id,
    causationId: id,
  }
}

/** Takes back the jobs of timers that were cancelled. One that runs just now finds out by itself. */
export async function cancelTimers(
  client: pg.ClientBase,
  process: Named,
  { jobSchema }: JobTarget,
  timers: readonly (ProcessTimer & { readonly streamId: string })[],
): Promise<void> {
  if (timers.length === 0) return
  const keys = timers.map((timer) => {
    const { streamId, id } = timer
    const origin = { key: id, reactor: processTaskName(process) }
    const job = timerJob(process, streamId, timer)
    return toSpec({ job, origin, requestedAt: timer.dueAt, streamId }).job_key
  })
  await client.query(
    /* sql */ `
    delete from ${quoteIdent(jobSchema)}._private_jobs
    where key = any ($1::text[]) and locked_at is null`,
    [keys],
  )
}

/** Takes away dead letters of commands that are about to be tried anew. */
export async function discardDeadCommands(
  client: pg.ClientBase,
  jobSchema: string,
  steps: readonly ProcessStep[],
): Promise<void> {
  if (!steps.some(({ state }) => state === 'gave-up')) return
  await client.query(
    /* sql */ `
    delete from ${quoteIdent(jobSchema)}._private_jobs
    where attempts >= max_attempts and locked_at is null and payload ->> 'action' = any ($1::text[])`,
    [steps.map(({ id }) => id)],
  )
}
