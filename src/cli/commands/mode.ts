import { Argument, Command } from 'commander'
import type { ProjectionMode, SetModeResult } from '../../projections/inline/set-mode.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { eventCount, positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

interface ModeCommandOptions extends GlobalOptions {
  readonly maxLag?: bigint
  readonly lockTimeout?: number
}

/** `tidemark mode`: has appends apply a projection, or workers again. */
export function modeCommand(host: Host): Command {
  return new Command('mode')
    .description('have appends apply a projection (inline), or workers again (async)')
    .argument('<projection>', 'name of the projection')
    .addArgument(new Argument('<mode>', 'who applies it').choices(['inline', 'async']))
    .option('--max-lag <n>', 'events that it may be behind (default: 1000)', eventCount)
    .option(
      '--lock-timeout <ms>',
      'how long one attempt waits for appends (default: 500)',
      positiveInteger,
    )
    .action(async (name: string, mode: ProjectionMode, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ModeCommandOptions>()
      const { maxLag, lockTimeout } = options
      const target = await resolveTarget(options, host)
      const change = {
        ...(maxLag === undefined ? {} : { maxLag }),
        ...(lockTimeout === undefined ? {} : { lockTimeoutMs: lockTimeout }),
      }
      const result = await withStore(target, (store) => store.setMode(name, mode, change))
      printResult(host, options, result, modeText)
    })
}

function modeText({ projection, version, mode }: SetModeResult): string {
  const who = mode === 'inline' ? 'appends apply it themselves' : 'workers apply it'
  return `projection "${projection}" version ${version} is ${mode} now: ${who}`
}
