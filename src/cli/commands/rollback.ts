import { Command } from 'commander'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'
import { switchText } from './promote.ts'

/** `tidemark rollback`: shows the version before again. */
export function rollbackCommand(host: Host): Command {
  return new Command('rollback')
    .description('show the version of a projection that was shown before')
    .argument('<projection>', 'name of the projection')
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const target = await resolveTarget(options, host)
      const result = await withStore(target, (store) => store.rollback(name))
      printResult(host, options, result, switchText)
    })
}
