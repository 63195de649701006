import { Command } from 'commander'
import type { AnyProjection } from '../../projections/projection.ts'
import type { RebuildOptions, RebuildResult } from '../../projections/versions/rebuild.ts'
import type { Store } from '../../worker/create-store.ts'
import { chooseProjection } from '../choose-projection.ts'
import { formatCount, formatDuration } from '../format.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { LastError } from '../last-error.ts'
import { partitionCount, positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { rebuildHelpers } from '../rebuild-helpers.ts'
import { showProgress } from '../rebuild-progress.ts'
import { requireDefinitions, type Target, withStore } from '../target.ts'

export interface RebuildCommandOptions extends GlobalOptions {
  readonly version?: number
  readonly batchSize?: number
  readonly maxRate?: number
  readonly parallel?: number
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
    .option('--max-rate <n>', 'events a second at most (default: no limit)', positiveInteger)
    .option('--parallel <n>', 'processes that build it at once (default: 1)', partitionCount)
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RebuildCommandOptions>()
      const target = await requireDefinitions(options, host)
      const definition = chooseProjection(target.config.projections ?? [], name, options.version)
      const outcome = await runRebuild(host, options, target, definition, (store, build) =>
        store.rebuild(definition, build),
      )
      finishRebuild(host, options, outcome)
    })
}

/** What a rebuild came to, and how many events have no position yet. */
interface Outcome {
  readonly result: RebuildResult
  readonly unsequenced: number
}

/** Writes what a rebuild came to. */
export function finishRebuild(host: Host, options: GlobalOptions, outcome: Outcome): void {
  printResult(host, options, outcome.result, rebuildText)
  if (options.json !== true) warnOfUnsequenced(host, outcome.unsequenced)
}

/** Builds a version with progress on stderr, until a signal stops it. */
export async function runRebuild(
  host: Host,
  options: RebuildCommandOptions,
  target: Target,
  definition: AnyProjection,
  build: (store: Store, options: RebuildOptions) => Promise<RebuildResult>,
): Promise<Outcome> {
  const { batchSize, maxRate, parallel } = options
  const progress = showProgress(host, options, definition)
  const signal = host.stopSignals.listen(progress.announceStop)
  const lastError = new LastError()
  const helpers = rebuildHelpers(host, options, definition)
  const settings: RebuildOptions = {
    signal,
    onProgress: (now) => {
      helpers.start()
      progress.show(now)
    },
    ...(parallel === undefined ? {} : { parallel }),
    ...(batchSize === undefined ? {} : { batchSize }),
    ...(maxRate === undefined ? {} : { maxEventsPerSecond: maxRate / (parallel ?? 1) }),
  }
  try {
    return await withStore(
      target,
      async (store) => {
        const result = await build(store, settings).finally(progress.end)
        return { result, unsequenced: (await store.status()).unsequenced }
      },
      lastError.logger,
    )
  } catch (error) {
    throw lastError.explain(error)
  } finally {
    await helpers.stop()
  }
}

/** What is not in the order yet is in no projection either, however well it was built. */
function warnOfUnsequenced(host: Host, unsequenced: number): void {
  if (unsequenced === 0) return
  host.stderr.write(
    `events without a position yet, which are not in it: ${formatCount(unsequenced)}; ` +
      'a worker gives it to them\n',
  )
}

/** Says what a rebuild came to, for people, and which command comes next. */
export function rebuildText(result: RebuildResult): string {
  const { projection, version, position, startPosition, state, durationMs } = result
  const isPartial = startPosition > 0n
  const promote = `\`tidemark promote ${projection}${isPartial ? ' --partial' : ''}\` shows it`
  const part = isPartial
    ? `, and holds only events after position ${formatCount(startPosition)}`
    : ''
  return (
    `projection "${projection}" version ${version} is built up to position ` +
    `${formatCount(position)} after ${formatDuration(durationMs)}${part}: ` +
    (state === 'live' ? 'it is the live one' : promote)
  )
}
