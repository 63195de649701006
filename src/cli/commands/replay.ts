import { Command } from 'commander'
import type { LogMoment } from '../../subscriptions/log-moment.ts'
import { chooseProjection } from '../choose-projection.ts'
import type { Host } from '../host.ts'
import { logMoment, positiveInteger } from '../option-values.ts'
import { requireDefinitions } from '../target.ts'
import { finishRebuild, type RebuildCommandOptions, runRebuild } from './rebuild.ts'

interface ReplayCommandOptions extends RebuildCommandOptions {
  readonly from: LogMoment
  readonly live?: boolean
}

/** `tidemark replay`: builds a version anew, from a position or a time on. */
export function replayCommand(host: Host): Command {
  return new Command('replay')
    .description(
      'empty a version that is not live, and apply the log to it from a position or time on',
    )
    .argument('<projection>', 'name of a projection in the config file')
    .requiredOption(
      '--from <position|time>',
      'first event to apply: a position, or a time like 2026-11-21T10:00:00Z',
      logMoment,
    )
    .option('--version <n>', 'version to build (default: the newest)', positiveInteger)
    .option('--live', 'even the live version: its readers see it empty at first')
    .option('--batch-size <n>', 'events in one transaction (default: 5000)', positiveInteger)
    .option('--max-rate <n>', 'events a second at most (default: no limit)', positiveInteger)
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ReplayCommandOptions>()
      const target = await requireDefinitions(options, host)
      const definition = chooseProjection(target.config.projections ?? [], name, options.version)
      const { from, live = false } = options
      const outcome = await runRebuild(host, options, target, definition, (store, build) =>
        store.replay(definition, { ...build, from, live }),
      )
      finishRebuild(host, options, outcome)
    })
}
