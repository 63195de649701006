import { Command } from 'commander'
import type { PromoteOptions, SwitchResult } from '../../projections/versions/switch-version.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { eventCount, positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

interface PromoteCommandOptions extends GlobalOptions {
  readonly version?: number
  readonly maxLag?: bigint
  readonly lockTimeout?: number
  readonly partial?: boolean
}

/** `tidemark promote`: shows another version of a projection. */
export function promoteCommand(host: Host): Command {
  return new Command('promote')
    .description('show another version of a projection; the one before goes on as standby')
    .argument('<projection>', 'name of the projection')
    .option('--version <n>', 'version to show (default: the newest that is ready)', positiveInteger)
    .option('--partial', 'even one that holds only the events after a position')
    .option('--max-lag <n>', 'events that it may be behind (default: 1000)', eventCount)
    .option(
      '--lock-timeout <ms>',
      'how long one attempt waits for readers (default: 500)',
      positiveInteger,
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<PromoteCommandOptions>()
      const target = await resolveTarget(options, host)
      const result = await withStore(target, (store) => store.promote(name, toPromotion(options)))
      printResult(host, options, result, switchText)
    })
}

/** Says which version is shown now, for people. */
export function switchText({ projection, live, before }: SwitchResult): string {
  const was = before === null ? '' : `, instead of version ${before}, which stands by`
  return `projection "${projection}" shows version ${live} now${was}`
}

function toPromotion(options: PromoteCommandOptions): PromoteOptions {
  const { version, maxLag, lockTimeout, partial } = options
  return {
    ...(partial === undefined ? {} : { partial }),
    ...(version === undefined ? {} : { version }),
    ...(maxLag === undefined ? {} : { maxLag }),
    ...(lockTimeout === undefined ? {} : { lockTimeoutMs: lockTimeout }),
  }
}
