"""Node classification on a small graph: GCN over a sparse-free adjacency, GAT with edge softmax, message passing."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.parameter import Parameter

np.random.seed(42)
torch.manual_seed(42)


def encode_onehot(labels):
    classes = sorted(set(labels))
    classes_dict = {c: np.identity(len(classes))[i, :] for i, c in enumerate(classes)}
    return np.array(list(map(classes_dict.get, labels)), dtype=np.int32)


def normalize_features(mx):
    rowsum = np.array(mx.sum(1))
    r_inv = np.power(rowsum, -1.0)
    r_inv[np.isinf(r_inv)] = 0.0
    return np.diag(r_inv).dot(mx)


def load_data(n=60, kinds=("Theory", "Neural", "Genetic")):
    """A citation network made up: papers mostly cite their own field, and use its words."""
    labels = [kinds[i % 3] for i in range(n)]
    onehot = encode_onehot(labels)
    same = onehot @ onehot.T
    adj = (np.random.rand(n, n) < np.where(same == 1, 0.15, 0.02)).astype(np.float32)
    adj = adj + adj.T * (adj.T > adj) - adj * (adj.T > adj)
    np.fill_diagonal(adj, 0)
    words = (np.random.rand(n, 24) < 0.1 + 0.25 * np.repeat(onehot, 8, axis=1)).astype(np.float32)
    features = torch.FloatTensor(normalize_features(words))
    labels = torch.LongTensor(np.where(onehot)[1])
    order = np.random.permutation(n)
    idx_train, idx_val, idx_test = (torch.LongTensor(p) for p in (order[:15], order[15:30], order[30:]))
    return torch.from_numpy(adj), features, labels, idx_train, idx_val, idx_test


adj, features, labels, idx_train, idx_val, idx_test = load_data()
edge_index = adj.nonzero().t().contiguous()
degree = adj.sum(1)
print(adj.shape, edge_index.shape, labels.bincount(), degree.max(), bool((adj == adj.T).all()))


def gcn_norm(adj):
    a = adj + torch.eye(adj.size(0))
    d = a.sum(1).pow(-0.5)
    d[torch.isinf(d)] = 0.0
    return d.view(-1, 1) * a * d.view(1, -1)


class GraphConvolution(nn.Module):
    """Simple GCN layer"""

    def __init__(self, in_features, out_features, bias=True):
        super(GraphConvolution, self).__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(torch.FloatTensor(in_features, out_features))
        if bias:
            self.bias = Parameter(torch.FloatTensor(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, adj):
        support = torch.mm(input, self.weight)
        output = torch.mm(adj, support)
        return output + self.bias if self.bias is not None else output

    def __repr__(self):
        return self.__class__.__name__ + " (" + str(self.in_features) + " -> " + str(self.out_features) + ")"


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout):
        super(GCN, self).__init__()
        self.gc1 = GraphConvolution(nfeat, nhid)
        self.gc2 = GraphConvolution(nhid, nclass)
        self.dropout = dropout

    def forward(self, x, adj):
        x = F.relu(self.gc1(x, adj))
        x = F.dropout(x, self.dropout, training=self.training)
        x = self.gc2(x, adj)
        return F.log_softmax(x, dim=1)


class GraphAttentionLayer(nn.Module):
    def __init__(self, in_features, out_features, dropout, alpha, concat=True):
        super(GraphAttentionLayer, self).__init__()
        self.dropout, self.out_features, self.concat = dropout, out_features, concat
        self.W = nn.Parameter(torch.empty(size=(in_features, out_features)))
        nn.init.xavier_uniform_(self.W.data, gain=1.414)
        self.a = nn.Parameter(torch.empty(size=(2 * out_features, 1)))
        nn.init.xavier_uniform_(self.a.data, gain=1.414)
        self.leakyrelu = nn.LeakyReLU(alpha)

    def forward(self, h, adj):
        Wh = torch.mm(h, self.W)
        Wh1 = torch.matmul(Wh, self.a[: self.out_features, :])
        Wh2 = torch.matmul(Wh, self.a[self.out_features :, :])
        e = self.leakyrelu(Wh1 + Wh2.T)
        zero_vec = -9e15 * torch.ones_like(e)
        attention = torch.where(adj > 0, e, zero_vec)
        attention = F.softmax(attention, dim=1)
        attention = F.dropout(attention, self.dropout, training=self.training)
        h_prime = torch.matmul(attention, Wh)
        return F.elu(h_prime) if self.concat else h_prime


class GAT(nn.Module):
    def __init__(self, nfeat, nhid, nclass, dropout, alpha, nheads):
        super(GAT, self).__init__()
        self.dropout = dropout
        self.attentions = [
            GraphAttentionLayer(nfeat, nhid, dropout=dropout, alpha=alpha, concat=True) for _ in range(nheads)
        ]
        for i, attention in enumerate(self.attentions):
            self.add_module("attention_{}".format(i), attention)
        self.out_att = GraphAttentionLayer(nhid * nheads, nclass, dropout=dropout, alpha=alpha, concat=False)

    def forward(self, x, adj):
        x = F.dropout(x, self.dropout, training=self.training)
        x = torch.cat([att(x, adj) for att in self.attentions], dim=1)
        x = F.dropout(x, self.dropout, training=self.training)
        x = F.elu(self.out_att(x, adj))
        return F.log_softmax(x, dim=1)


def scatter_softmax(src, index, num_nodes):
    top = torch.full((num_nodes,), -torch.inf).scatter_reduce(0, index, src.detach(), reduce="amax")
    out = (src - top[index]).exp()
    total = torch.zeros(num_nodes).scatter_add_(0, index, out)
    return out / (total[index] + 1e-16)


class MessagePassing(nn.Module):
    """GraphSAGE-like: messages along edges, weighted by an edge softmax, gathered by index_add_."""

    def __init__(self, nfeat, nhid, nclass):
        super().__init__()
        self.lin_self, self.lin_msg = nn.Linear(nfeat, nhid), nn.Linear(nfeat, nhid)
        self.att = nn.Linear(2 * nhid, 1, bias=False)
        self.norm = nn.LayerNorm(nhid)
        self.out = nn.Linear(nhid, nclass)

    def forward(self, x, edge_index):
        row, col = edge_index
        m, s = self.lin_msg(x), self.lin_self(x)
        score = F.leaky_relu(self.att(torch.cat([s[row], m[col]], dim=-1)), 0.2).squeeze(-1)
        alpha = scatter_softmax(score, row, x.size(0))
        agg = torch.zeros_like(s).index_add_(0, row, alpha.unsqueeze(-1) * m[col])
        return F.log_softmax(self.out(self.norm(F.relu(s + agg))), dim=-1)


def accuracy(output, labels):
    preds = output.max(1)[1].type_as(labels)
    correct = preds.eq(labels).double()
    correct = correct.sum()
    return correct / len(labels)


def fit(model, *graph, epochs=15, lr=0.02, weight_decay=5e-4):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay)
    for epoch in range(epochs):
        model.train()
        optimizer.zero_grad()
        output = model(features, *graph)
        loss_train = F.nll_loss(output[idx_train], labels[idx_train])
        acc_train = accuracy(output[idx_train], labels[idx_train])
        loss_train.backward()
        optimizer.step()
        model.eval()
        output = model(features, *graph)
        loss_val = F.nll_loss(output[idx_val], labels[idx_val])
        if epoch % 5 == 4:
            print(
                "Epoch: {:04d}".format(epoch + 1),
                "loss_train: {:.4f}".format(loss_train.item()),
                "acc_train: {:.4f}".format(acc_train.item()),
                "loss_val: {:.4f}".format(loss_val.item()),
                "acc_val: {:.4f}".format(accuracy(output[idx_val], labels[idx_val]).item()),
            )
    model.eval()
    output = model(features, *graph)
    print(
        "Test set results:",
        f"loss= {F.nll_loss(output[idx_test], labels[idx_test]).item():.4f}",
        f"accuracy= {accuracy(output[idx_test], labels[idx_test]).item():.4f}",
    )


model = GCN(nfeat=features.shape[1], nhid=16, nclass=3, dropout=0.5)
print(model)
fit(model, gcn_norm(adj))
model = GAT(nfeat=features.shape[1], nhid=4, nclass=3, dropout=0.3, alpha=0.2, nheads=3)
print([n for n, _ in model.named_parameters()][:4])
fit(model, adj + torch.eye(len(adj)))
fit(MessagePassing(features.shape[1], 16, 3), edge_index)

# the smallest eigenvectors of the Laplacian, by power iteration on what is left, and PageRank
L = torch.diag(degree) - adj
rank = torch.full((len(adj),), 1 / len(adj))
P = adj / degree.clamp(min=1).unsqueeze(1)
for _ in range(30):
    rank = 0.15 / len(adj) + 0.85 * P.t() @ rank
print(f"{rank.sum():.4f} {rank.max():.5f}", rank.topk(3).indices, f"{(features.T @ L @ features).trace():.4f}")
