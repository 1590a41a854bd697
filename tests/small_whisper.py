"""A Whisper model of a few hundred kB with random weights, for CTranslate2: its words mean nothing."""

import json

# Where the tokens of the real vocabulary stand matters to nobody; that these are there does.
SPECIAL = ("endoftext", "startoftranscript", "en", "de", "translate", "transcribe")
SPECIAL += ("startoflm", "startofprev", "nospeech", "notimestamps")


def write(folder):
    """Make the model in `folder` and give its folder back."""
    import ctranslate2
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = Tokenizer(models.BPE({letter: place for place, letter in enumerate(letters)}, []))
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    words.add_special_tokens([f"<|{name}|>" for name in SPECIAL])
    words.add_tokens([f"<|{step * 0.02:.2f}|>" for step in range(1501)])
    number = {name: words.token_to_id(f"<|{name}|>") for name in SPECIAL}

    torch.manual_seed(0)
    ctranslate2.set_random_seed(0)  # where random weights are unsure of themselves, faster-whisper draws words
    end = number["endoftext"]
    sizes = {f"{side}_{what}": 1 for side in ("encoder", "decoder") for what in ("layers", "attention_heads")}
    sizes |= {"d_model": 16, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "vocab_size": words.get_vocab_size()}
    network = WhisperForConditionalGeneration(
        WhisperConfig(
            **sizes,
            pad_token_id=end,
            bos_token_id=end,
            eos_token_id=end,
            decoder_start_token_id=number["startoftranscript"],
            suppress_tokens=None,
            begin_suppress_tokens=None,
        )
    )
    network.generation_config.alignment_heads = [[0, 0]]
    network.generation_config.no_timestamps_token_id = number["notimestamps"]
    network.save_pretrained(folder / "torch")
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<|endoftext|>").save_pretrained(folder / "torch")
    (folder / "torch" / "preprocessor_config.json").write_text(
        json.dumps({"feature_size": 80, "sampling_rate": 16_000, "hop_length": 160, "chunk_length": 30, "n_fft": 400})
    )
    converter = ctranslate2.converters.TransformersConverter(
        str(folder / "torch"), copy_files=["tokenizer.json", "preprocessor_config.json"]
    )
    converter.convert(str(folder / "whisper"))
    return folder / "whisper"
