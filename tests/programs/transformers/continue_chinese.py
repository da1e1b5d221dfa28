# Continue a Chinese prompt: temperature 0.8, top-k 50, top-p 0.95. Argument: the model's folder.
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder = sys.argv[1]
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
device = "cuda" if torch.cuda.is_available() else "cpu"
model = model.to(device).eval()

prompt = "今天天气很好，"
inputs = tokenizer(prompt, return_tensors="pt").to(device)
with torch.no_grad():
    outputs = model.generate(
        **inputs,
        max_new_tokens=20,
        do_sample=True,
        temperature=0.8,
        top_k=50,
        top_p=0.95,
        repetition_penalty=1.1,
        pad_token_id=tokenizer.eos_token_id,
    )
print(outputs.shape[1] - inputs["input_ids"].shape[1] <= 20)
print(tokenizer.decode(outputs[0], skip_special_tokens=True).startswith(prompt))

greedy = model.generate(inputs.input_ids, max_length=inputs.input_ids.shape[1] + 5)
beams = model.generate(inputs.input_ids, max_new_tokens=5, num_beams=3, early_stopping=True)
print(tuple(greedy.shape), len(beams))
print(f"{model(**inputs, labels=inputs.input_ids).loss.item():.3f}")
