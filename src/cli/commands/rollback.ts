import { Command } from 'commander'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { eventCount } from '../option-values.ts'
import { printResult } from '../print-result.ts'
import { resolveTarget, withStore } from '../target.ts'
import { switchText } from './promote.ts'

interface RollbackCommandOptions extends GlobalOptions {
  readonly maxLag?: bigint
}

/** `tidemark rollback`: shows the version before again. */
export function rollbackCommand(host: Host): Command {
  return new Command('rollback')
    .description('show the version of a projection that was shown before')
    .argument('<projection>', 'name of the projection')
    .option('--max-lag <n>', 'events that it may be behind (default: 1000)', eventCount)
    .action(async (name: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<RollbackCommandOptions>()
      const target = await resolveTarget(options, host)
      const { maxLag } = options
      const change = maxLag === undefined ? {} : { maxLag }
      const result = await withStore(target, (store) => store.rollback(name, change))
      printResult(host, options, result, switchText)
    })
}
