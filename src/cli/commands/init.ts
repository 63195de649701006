import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { configTemplate } from '../config-template.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { configFileNames, invalidConfig } from '../load-config.ts'
import { printResult } from '../print-result.ts'

/** `tidemark init`: writes a first config file. */
export function initCommand(host: Host): Command {
  return new Command('init')
    .description('write a first tidemark.config.ts in this directory')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>()
      const path = options.config ?? defaultPath(host.cwd)
      refuseExisting(host.cwd, path)
      // `wx`: should the file appear meanwhile, it stays.
      await writeFile(resolve(host.cwd, path), configTemplate, { flag: 'wx' })
      printResult(host, options, { path }, () => `wrote ${path}: next, run \`tidemark migrate\``)
    })
}

/** Files that end in `.ts` are CommonJS where package.json says so, and could not import tidemark. */
function defaultPath(cwd: string): string {
  const file = resolve(cwd, 'package.json')
  if (!existsSync(file)) return configFileNames[0]
  const { type } = JSON.parse(readFileSync(file, 'utf8')) as { type?: unknown }
  return type === 'commonjs' ? configFileNames[1] : configFileNames[0]
}

/** A second config file in the directory would be one that is never read. */
function refuseExisting(cwd: string, path: string): void {
  const rivals = (configFileNames as readonly string[]).includes(path) ? configFileNames : [path]
  const existing = rivals.find((name) => existsSync(resolve(cwd, name)))
  if (existing !== undefined)
    throw invalidConfig(existing, 'it exists already; nothing was written')
}
