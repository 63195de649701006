import { Command } from 'commander'
import type { RepartitionResult } from '../../projections/versions/repartition-version.ts'
import { chooseProjection } from '../choose-projection.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { partitionCount, positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { requireDefinitions, resolveTarget, type Target, withStore } from '../target.ts'

interface RepartitionCommandOptions extends GlobalOptions {
  readonly version?: number
  readonly partitions?: number
}

/** `tidemark repartition`: divides a projection into another number of partitions. */
export function repartitionCommand(host: Host): Command {
  return new Command('repartition')
    .description('divide the keys of a projection into another number of partitions')
    .argument('<projection>', 'name of the projection')
    .option('--partitions <n>', 'how many (default: as its definition says)', partitionCount)
    .option('--version <n>', 'version to divide (default: the live one)', positiveInteger)
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RepartitionCommandOptions>()
      const { target, partitions } = await choose(name, options, host)
      const { version } = options
      const change = version === undefined ? {} : { version }
      const signal = host.stopSignals.listen(() => {})
      const result = await withStore(target, (store) =>
        store.repartition(name, partitions, { ...change, signal }),
      )
      printResult(host, options, result, repartitionText)
    })
}

async function choose(
  name: string,
  options: RepartitionCommandOptions,
  host: Host,
): Promise<{ readonly target: Target; readonly partitions: number }> {
  const { partitions, version } = options
  if (partitions !== undefined) return { target: await resolveTarget(options, host), partitions }
  const target = await requireDefinitions(options, host)
  const definition = chooseProjection(target.config.projections ?? [], name, version)
  return { target, partitions: definition.partitions }
}

/** Says what became of it, for people. */
export function repartitionText(result: RepartitionResult): string {
  const { projection, version, partitions, wanted } = result
  const name = `projection "${projection}" version ${version}`
  if (partitions === wanted) return `${name} has ${count(partitions)}`
  return (
    `${name} has ${count(partitions)} and will have ${wanted}, ` +
    'when all stand at one position, or when it is built: let a worker apply it'
  )
}

function count(partitions: number): string {
  return partitions === 1 ? '1 partition' : `${partitions} partitions`
}
