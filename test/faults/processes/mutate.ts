// Imported before a worker: replaces texts of the product's source as it is loaded, and says so.
import { writeSync } from 'node:fs'
import { type LoadHookSync, registerHooks } from 'node:module'
import { pathToFileURL } from 'node:url'
import { type MutationName, mutatedFiles } from '../mutations.ts'

const names = (process.env.TIDEMARK_FAULTS_MUTATIONS ?? '').split(',') as MutationName[]
const files = new Map(mutatedFiles(names).map((file) => [pathToFileURL(file.path).href, file]))

const load: LoadHookSync = (url, context, nextLoad) => {
  const loaded = nextLoad(url, context)
  const file = files.get(url)
  if (file === undefined) return loaded
  const source = file.mutate(textOf(loaded.source))
  writeSync(1, `mutated ${file.path}\n`)
  return { ...loaded, source }
}

registerHooks({ load })

function textOf(source: ReturnType<LoadHookSync>['source']): string {
  return typeof source === 'string' ? source : new TextDecoder().decode(source ?? undefined)
}
