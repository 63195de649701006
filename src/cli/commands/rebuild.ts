import { Command } from 'commander'
import type { AnyProjection } from '../../projections/projection.ts'
import type { RebuildOptions, RebuildResult } from '../../projections/rebuild.ts'
import { chooseProjection } from '../choose-projection.ts'
import { formatCount, formatDuration } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { LastError } from '../last-error.ts'
import { positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { showProgress } from '../rebuild-progress.ts'
import { requireDefinitions, type Target, withStore } from '../target.ts'

interface RebuildCommandOptions extends GlobalOptions {
  readonly version?: number
  readonly batchSize?: number
}

/** `tidemark rebuild`: builds a version of a projection beside the live one. */
export function rebuildCommand(host: Host): Command {
  return new Command('rebuild')
    .description(
      'build a version of a projection beside the live one; goes on where it was stopped',
    )
    .argument('<projection>', 'name of a projection in the config file')
    .option('--version <n>', 'version to build (default: the newest)', positiveInteger)
    .option('--batch-size <n>', 'events in one transaction (default: 5000)', positiveInteger)
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RebuildCommandOptions>()
      const target = await requireDefinitions(options, host)
      const definition = chooseProjection(target.config.projections ?? [], name, options.version)
      const result = await runRebuild(host, options, target, definition)
      printResult(host, options, result, rebuildText)
    })
}

async function runRebuild(
  host: Host,
  options: RebuildCommandOptions,
  target: Target,
  definition: AnyProjection,
): Promise<RebuildResult> {
  const { batchSize } = options
  const progress = showProgress(host, options, definition)
  const signal = host.stopSignals.listen(progress.announceStop)
  const lastError = new LastError()
  const build: RebuildOptions = {
    signal,
    onProgress: progress.show,
    ...(batchSize === undefined ? {} : { batchSize }),
  }
  try {
    return await withStore(
      target,
      (store) => store.rebuild(definition, build).finally(progress.end),
      lastError.logger,
    )
  } catch (error) {
    throw lastError.explain(error)
  }
}

/** Says what a rebuild came to, for people. */
export function rebuildText({ projection, version, position, durationMs }: RebuildResult): string {
  return (
    `projection "${projection}" version ${version} is ready at position ${formatCount(position)} ` +
    `after ${formatDuration(durationMs)}: \`tidemark promote ${projection}\` shows it`
  )
}
