import type { DeadJob } from '../jobs/dead-jobs.ts'
import type { ParkedKey } from '../subscriptions/parking/parked-key.ts'
import { formatCount, oneLine } from './format.ts'
import { makeTable, parkedKeysText, short } from './parked-text.ts'

/** Lists parked keys and dead jobs for people. */
export function parkedText({
  keys,
  jobs,
}: {
  readonly keys: readonly ParkedKey[]
  readonly jobs: readonly DeadJob[]
}): string {
  if (jobs.length === 0) return parkedKeysText(keys)
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
  return [...(keys.length === 0 ? [] : [parkedKeysText(keys)]), table.toString()].join('\n')
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
