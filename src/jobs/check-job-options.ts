import { optionInvalid } from '../core/option-invalid.ts'
import type { JobOptions } from './job.ts'

/** The server keeps both as `smallint`. */
const largest = 32_767

/** @throws OPTION_INVALID for what the server would refuse, or what cannot be had together. */
export function checkJobOptions(options: JobOptions): void {
  const { runAt, delayMs, maxAttempts, priority, coalesce, order, queueName } = options
  const key = typeof coalesce === 'object' ? coalesce.key : coalesce
  const faults: readonly (readonly [boolean, string, string])[] = [
    [runAt !== undefined && Number.isNaN(runAt.getTime()), 'runAt', 'it is not a time'],
    [!isWithin(delayMs, 0, Number.MAX_SAFE_INTEGER), 'delayMs', 'use a number of at least 0'],
    [runAt !== undefined && delayMs !== undefined, 'delayMs', 'give either it or runAt'],
    [!isWithin(maxAttempts, 1, largest), 'maxAttempts', `use 1 to ${largest}`],
    [!isWithin(priority, -largest, largest), 'priority', `use -${largest} to ${largest}`],
    [key === '', 'coalesce', 'a key is not empty'],
    [key !== undefined && order !== undefined, 'order', 'jobs that coalesce have no order'],
    [queueName === '', 'queueName', 'a name is not empty'],
  ]
  for (const [isAtFault, option, reason] of faults) {
    if (isAtFault) throw optionInvalid(option, reason)
  }
}

function isWithin(value: number | undefined, least: number, most: number): boolean {
  return value === undefined || (Number.isInteger(value) && value >= least && value <= most)
}
