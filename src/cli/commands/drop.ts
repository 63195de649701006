import { Command } from 'commander'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { positiveInteger } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'

interface DropCommandOptions extends GlobalOptions {
  readonly version: number
  readonly live?: boolean
}

/** `tidemark drop`: removes a version of a projection with its tables. */
export function dropCommand(host: Host): Command {
  return new Command('drop')
    .description('remove a version of a projection with its tables')
    .argument('<projection>', 'name of the projection')
    .requiredOption('--version <n>', 'version to remove', positiveInteger)
    .option('--live', 'even the live one, when it is the last: the projection goes')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DropCommandOptions>()
      const { version, live = false } = options
      const target = await resolveTarget(options, host)
      await withStore(target, (store) => store.drop(name, version, { live }))
      const text = () => `projection "${name}" version ${version} is removed`
      printResult(host, options, { projection: name, version }, text)
    })
}
