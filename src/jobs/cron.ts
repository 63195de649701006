import { type CronItem, type ParsedCronItem, parseCronItem } from 'graphile-worker'
import { optionInvalid } from '../core/option-invalid.ts'
import { checkJobOptions } from './check-job-options.ts'
import type { JobOptions } from './job.ts'
import { originField } from './job-origin.ts'
import type { Task } from './task.ts'

export interface CronOptions extends Pick<JobOptions, 'maxAttempts' | 'queueName' | 'priority'> {
  /**
   * Names the item in the database, which keeps when it was last due there. Default: the task's name. Two
   * items of one task need two.
   */
  readonly identifier?: string
  /**
   * How far back a worker makes up for what was due while none ran, once the item is known: a job for each
   * time. Default 0: what was missed is not made up for.
   */
  readonly backfillMs?: number
}

/**
 * Has a job run by the clock, as graphile-worker does it: of all workers one enqueues it. Times are UTC.
 *
 * @param match five fields as of crontab: `'0 4 * * *'` is each day at four.
 * @throws EVENT_DATA_INVALID when the schema refuses the payload, OPTION_INVALID.
 */
export function cron<Payload extends object>(
  task: Task<Payload>,
  match: string,
  payload: Payload,
  options: CronOptions = {},
): ParsedCronItem {
  const { identifier = task.task, backfillMs = 0, ...rest } = options
  checkJobOptions(rest)
  task.check(payload)
  if (originField in payload) throw optionInvalid('payload', `"${originField}" is tidemark's own`)
  const item: CronItem = {
    task: task.task,
    match,
    identifier,
    payload: { ...payload } as Record<string, unknown>,
    options: { backfillPeriod: backfillMs, ...rest },
  }
  try {
    return parseCronItem(item)
  } catch (error) {
    throw optionInvalid('match', error instanceof Error ? error.message : String(error))
  }
}
