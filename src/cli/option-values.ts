import { InvalidArgumentError } from 'commander'
import { maxPartitions } from '../subscriptions/partitions/partition.ts'

// The largest that Postgres takes where these values go: versions, milliseconds.
const maxInteger = 2_147_483_647

/** Reads a whole number from 1. */
export function positiveInteger(text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= maxInteger) return value
  throw new InvalidArgumentError(`it must be a whole number from 1 to ${maxInteger}.`)
}

/** Reads a number of partitions. */
export function partitionCount(text: string): number {
  const value = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= maxPartitions) return value
  throw new InvalidArgumentError(`it must be a whole number from 1 to ${maxPartitions}.`)
}

/** Reads a position of the log. */
export function logPosition(text: string): bigint {
  if (/^[1-9]\d{0,17}$/.test(text)) return BigInt(text)
  throw new InvalidArgumentError('it must be a position: a whole number from 1.')
}

/** Reads a position of the log, or a time: with its zone, or a day, which begins at midnight UTC. */
export function logMoment(text: string): bigint | Date {
  if (/^\d{1,18}$/.test(text)) return BigInt(text)
  const time = new Date(text)
  const isTime = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d))?$/.test(text)
  if (isTime && !Number.isNaN(time.getTime())) return time
  throw new InvalidArgumentError(
    'it must be a position, a day, or a time with its zone: 2026-11-21, 2026-11-21T10:00:00Z.',
  )
}

/** Reads the id of a job. */
export function jobId(text: string): string {
  if (/^[1-9]\d{0,17}$/.test(text)) return text
  throw new InvalidArgumentError('it must be the id of a job: a whole number from 1.')
}

/** Reads a number of events. */
export function eventCount(text: string): bigint {
  if (/^\d{1,18}$/.test(text)) return BigInt(text)
  throw new InvalidArgumentError('it must be a whole number from 0.')
}

/** Reads a number of rows to show. */
export function rowCount(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('it must be a whole number from 0 to 9999.')
}
