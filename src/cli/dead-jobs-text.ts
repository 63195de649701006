import type { DeadJob } from '../jobs/dead-jobs.ts'
import type { ParkedMessageKey } from '../outbox/parked-messages.ts'
import type { ParkedKey } from '../subscriptions/parking/parked-key.ts'
import { formatCount, oneLine } from './format.ts'
import { parkedMessageKeysText } from './parked-messages-text.ts'
import { makeTable, parkedKeysText, short } from './parked-text.ts'

/** Lists parked keys, those of relays too, and dead jobs for people. */
export function parkedText({
  keys,
  messages,
  jobs,
}: {
  readonly keys: readonly ParkedKey[]
  readonly messages: readonly ParkedMessageKey[]
  readonly jobs: readonly DeadJob[]
}): string {
  const isEmpty = messages.length === 0 && jobs.length === 0
  return [
    ...(keys.length > 0 || isEmpty ? [parkedKeysText(keys)] : []),
    ...(messages.length > 0 ? [parkedMessageKeysText(messages)] : []),
    ...(jobs.length > 0 ? [deadJobsText(jobs)] : []),
  ].join('\n')
}

function deadJobsText(jobs: readonly DeadJob[]): string {
  const table = makeTable(['job', 'task', 'attempts', 'event', 'stream', 'behind it', 'error'])
  table.push(
    ...jobs.map(({ id, task, attempts, event, waiting, error }) => [
      id,
      oneLine(task),
      formatCount(attempts),
      event === null ? '' : formatCount(event.position),
      event === null ? '' : short(event.streamId),
      formatCount(waiting),
      short((error ?? '').split('\n')[0] ?? ''),
    ]),
  )
  return table.toString()
}

/** Says all that is known of a dead job, for people. */
export function deadJobText(job: DeadJob): string {
  const { id, task, attempts, createdAt, event, reactor, lane, waiting, error, payload } = job
  const cause =
    event === null
      ? []
      : [
          oneLine(
            `asked for by event "${event.type}" of stream "${event.streamId}" at position ` +
              `${formatCount(event.position)}, reactor "${reactor ?? ''}"`,
          ),
        ]
  const behind =
    lane === null ? [] : [oneLine(`${formatCount(waiting)} jobs of lane "${lane}" wait behind it`)]
  return [
    `job ${id} of task "${oneLine(task)}": ${attempts} attempts, made ${createdAt.toISOString()}`,
    ...cause,
    ...behind,
    `payload: ${JSON.stringify(payload)}`,
    printable(error ?? 'no error is known'),
  ].join('\n')
}

/** Keeps the lines, and takes out what else could steer a terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n]/gu, ' ')
}
