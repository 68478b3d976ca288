import { mergeMessages } from './merge_messages'

export default mergeMessages(
  import.meta.glob(['/src/app/messages/en.json', '/src/ui/messages/en.json', '/src/features/*/messages/en.json'], {
    eager: true,
    import: 'default',
  }),
)
