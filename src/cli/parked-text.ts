import Table from 'cli-table3'
import type { ParkedEntry, ParkedError, ParkedKey } from '../subscriptions/parking/parked-key.ts'
import type { RetryResult } from '../subscriptions/parking/retry-parked.ts'
import { describeSubscription } from '../subscriptions/subscription-id.ts'
import { formatCount, oneLine } from './format.ts'

/** Lists parked keys for people. */
export function parkedKeysText(keys: readonly ParkedKey[]): string {
  if (keys.length === 0) return 'nothing is parked'
  const table = makeTable(['subscription', 'lane', 'key', 'events', 'first', 'type', 'error'])
  table.push(
    ...keys.map((one) => [
      oneLine(describeSubscription(one)),
      one.lane,
      short(one.key),
      formatCount(one.events),
      formatCount(one.first.position),
      oneLine(one.first.type),
      errorText(one.first.error),
    ]),
  )
  return table.toString()
}

/** Lists parked events for people. */
export function parkedEventsText(events: readonly ParkedEntry[]): string {
  if (events.length === 0) return 'nothing is parked'
  const table = makeTable(['position', 'type', 'stream', 'version', 'attempts', 'parked', 'error'])
  table.push(
    ...events.map((one) => [
      formatCount(one.position),
      oneLine(one.type),
      short(one.streamId),
      formatCount(one.streamVersion),
      formatCount(one.attempts),
      one.parkedAt.toISOString(),
      errorText(one.error),
    ]),
  )
  return table.toString()
}

/** Says what came of a retry, for people. */
export function retryText({ applied, keys, failed }: RetryResult): string {
  return [
    `${formatCount(applied)} events applied, ${formatCount(keys)} keys wait no more`,
    ...failed.map(({ lane, key, position, error }) =>
      oneLine(
        `key "${short(key)}" of ${lane} failed again at position ${formatCount(position)}: ` +
          error.message,
      ),
    ),
  ].join('\n')
}

/** Begins a table for people. */
export function makeTable(head: string[]): InstanceType<typeof Table> {
  return new Table({ head, style: { head: [], border: [], compact: true } })
}

function errorText(error: ParkedError | null): string {
  return error === null ? 'waits' : short(error.message)
}

/** More of a key or message would push the rest off the screen; `--json` has all of it. */
const maxLength = 60

/** Shortens a text to what a cell of a table has room for. */
export function short(text: string): string {
  const line = oneLine(text)
  return line.length > maxLength ? `${line.slice(0, maxLength)}…` : line
}
