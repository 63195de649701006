import type { Command } from 'commander'
import { TidemarkError } from '../core/tidemark-error.ts'
import type { ParkedMessageFilter } from '../outbox/parked-messages.ts'
import type { ParkedFilter } from '../subscriptions/parking/parked-key.ts'
import type { GlobalOptions } from './global-options.ts'
import { jobId, positiveInteger } from './option-values.ts'

/** Which parked events or messages, or which dead job, a command is about. */
export interface ParkedOptions extends GlobalOptions {
  readonly version?: number
  readonly lane?: string
  readonly key?: string
  readonly job?: string
  readonly relay?: string
}

/** Adds the options that say which are meant. */
export function withFilter(command: Command): Command {
  return command
    .option('--version <n>', 'version of a projection', positiveInteger)
    .option('--lane <lane>', 'only this part: the table of a fold, each, batch; jobs of a reactor')
    .option('--key <key>', 'only this key')
    .option('--relay <name>', 'messages that a relay has parked')
    .option('--job <id>', 'a job that gave up, by its id', jobId)
}

/** Says which parked events are meant, for the library. */
export function toFilter(name: string | undefined, options: ParkedOptions): ParkedFilter {
  const { version, lane, key } = options
  return {
    ...(name === undefined ? {} : { name }),
    ...(version === undefined ? {} : { version }),
    ...(lane === undefined ? {} : { lane }),
    ...(key === undefined ? {} : { key }),
  }
}

/** Says which parked messages are meant, for the library. */
export function toMessageFilter(
  name: string | undefined,
  { relay = name, key }: ParkedOptions,
): ParkedMessageFilter {
  return {
    ...(relay === undefined ? {} : { relay }),
    ...(key === undefined ? {} : { key }),
  }
}

/** Whether parked events can be meant at all. */
export function isOfEvents({ relay, job }: ParkedOptions): boolean {
  return relay === undefined && job === undefined
}

/** Whether parked messages can be meant, of which there is no lane or version to ask for. */
export function isOfMessages({ job, lane, version }: ParkedOptions): boolean {
  return job === undefined && lane === undefined && version === undefined
}

/** Says that nothing was named. */
export function nameMissing(): TidemarkError {
  const reason =
    'name what is meant, to discard with --lane and --key; or a relay with --relay, a job with --job'
  return new TidemarkError('OPTION_INVALID', reason, { details: { option: '--job', reason } })
}
