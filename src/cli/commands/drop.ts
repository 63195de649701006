import { Command, Option } from 'commander'
import { optionInvalid } from '../../core/option-invalid.ts'
import type { DroppableKind } from '../../worker/drop-subscription.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

interface DropCommandOptions extends GlobalOptions {
  readonly kind: 'projection' | DroppableKind
  readonly version?: number
  readonly live?: boolean
}

/** `tidemark drop`: removes a version of a projection with its tables, or what reads the log no more. */
export function dropCommand(host: Host): Command {
  return new Command('drop')
    .description(
      'remove a version of a projection with its tables, or a reactor, route or relay that no worker runs',
    )
    .argument('<name>', 'name of the projection, or of what --kind says')
    .addOption(
      new Option('--kind <kind>', 'what to remove')
        .choices(['projection', 'reactor', 'route', 'relay'])
        .default('projection'),
    )
    .option('--version <n>', 'version of the projection to remove', positiveInteger)
    .option('--live', 'even the live one, when it is the last: the projection goes')
    .addHelpText(
      'after',
      '\nWhat a relay has parked goes with it, and the outbox keeps nothing for it any more.',
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DropCommandOptions>()
      const { kind } = options
      if (kind !== 'projection') return dropOther(host, kind, name, options)
      // Of the others it would be one option too many.
      if (options.version === undefined) {
        command.error("error: required option '--version <n>' not specified", {
          code: 'commander.missingMandatoryOptionValue',
        })
      }
      return dropProjection(host, name, options.version, options)
    })
}

async function dropProjection(
  host: Host,
  name: string,
  version: number,
  options: DropCommandOptions,
): Promise<void> {
  const { live = false } = options
  const target = await resolveTarget(options, host)
  await withStore(target, (store) => store.drop(name, version, { live }))
  const text = () => `projection "${name}" version ${version} is removed`
  printResult(host, options, { projection: name, version }, text)
}

async function dropOther(
  host: Host,
  kind: DroppableKind,
  name: string,
  options: DropCommandOptions,
): Promise<void> {
  if (options.version !== undefined || options.live === true) {
    throw optionInvalid('--kind', 'projection, where --version or --live is given')
  }
  const target = await resolveTarget(options, host)
  await withStore(target, (store) => store.dropSubscription(kind, name))
  printResult(host, options, { [kind]: name }, () => `${kind} "${name}" is removed`)
}
