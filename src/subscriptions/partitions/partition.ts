import { optionInvalid } from '../../core/option-invalid.ts'
import { hashText } from './hash-text.ts'

/** A part of the keys of a subscription: those whose hash leaves `index` when it is divided by `count`. */
export interface Partition {
  /** From 0. */
  readonly index: number
  readonly count: number
}

/** All keys. */
export const whole: Partition = { index: 0, count: 1 }

/** Partitions at most: each has a row, a transaction a chunk and a connection. */
export const maxPartitions = 64

/**
 * Tells to which of so many partitions a key belongs: in every process and release the same, and as
 * `tidemark.partition_of` says in SQL.
 */
export function partitionOf(key: string, count: number): number {
  return count === 1 ? 0 : (hashText(key) & 0x7f_ff_ff_ff) % count
}

/** Names a partition for people: ` partition 1 of 4`, nothing when there is one alone. */
export function describePartition({ index, count }: Partition): string {
  return count === 1 ? '' : ` partition ${index} of ${count}`
}

/** @throws OPTION_INVALID when there cannot be so many. */
export function requirePartitions(option: string, partitions: number): void {
  if (Number.isInteger(partitions) && partitions >= 1 && partitions <= maxPartitions) return
  throw optionInvalid(option, `${partitions} is not a whole number from 1 to ${maxPartitions}`)
}
